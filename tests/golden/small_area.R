# Golden values for small-area models: variance components, transformations, weights, logistic area effects, Monte-Carlo
# predictors, the Fay-Herriot model.
#
# Run in this folder: Rscript small_area.R
# Made with R 4.2 and the packages nlme, lme4 and laeken of Debian 12; formulas written out from the papers, with dense
# matrices. Data: cornsoybean.csv, Battese, Harter & Fuller (1988), JASA 83(401), table 1; milk.csv, You & Chapman (2006),
# Survey Methodology 32(1), table 1; 2,400 households of the synthetic `eusilc` of laeken (Alfons & Templ 2013).
suppressPackageStartupMessages({library(nlme); library(lme4); library(laeken)})
rows <- list()
keep <- function(group, name, value) rows[[length(rows) + 1]] <<- data.frame(group = group, name = name, value = value)

# --- Corn: nested-error regression
corn <- read.csv("cornsoybean.csv")
for (which in c("all", "without_33")) {
  used <- if (which == "all") corn else corn[-33, ]
  fit <- lme(corn_hectares ~ corn_pixels + soybean_pixels, random = ~ 1 | county, data = used, method = "REML",
             control = lmeControl(tolerance = 1e-12, msTol = 1e-12))
  variance <- as.numeric(VarCorr(fit)[, "Variance"])
  other <- as.data.frame(VarCorr(lmer(corn_hectares ~ corn_pixels + soybean_pixels + (1 | county), data = used)))$vcov
  stopifnot(abs(variance / other - 1) < 1e-4)
  keep(paste0("corn_", which), c("area_variance", "unit_variance", "intercept", "corn_pixels", "soybean_pixels"),
       c(variance, fixef(fit)))
  keep(paste0("corn_", which), paste0("effect_", rownames(ranef(fit))), ranef(fit)[, 1])
}

# --- Milk: Fay-Herriot by REML, mean squared error of Datta & Lahiri
milk <- read.csv("milk.csv")
x <- model.matrix(~ factor(major_area), milk)
psi <- milk$standard_error^2
restricted <- function(a) {
  v <- diag(a + psi); vi <- solve(v); xvx <- t(x) %*% vi %*% x
  p <- vi - vi %*% x %*% solve(xvx) %*% t(x) %*% vi
  -0.5 * (determinant(v)$modulus + determinant(xvx)$modulus + t(milk$mean) %*% p %*% milk$mean)
}
a <- optimize(restricted, c(0, 1), maximum = TRUE, tol = 1e-12)$maximum
vi <- diag(1 / (a + psi)); q <- solve(t(x) %*% vi %*% x); beta <- q %*% t(x) %*% vi %*% milk$mean
gamma <- a / (a + psi)
g1 <- gamma * psi; g2 <- (1 - gamma)^2 * diag(x %*% q %*% t(x)); g3 <- psi^2 / (a + psi)^3 * 2 / sum((a + psi)^-2)
keep("milk", c("area_variance", paste0("beta_", 0:3)), c(a, beta))
keep("milk", paste0("estimate_", milk$area), as.vector(x %*% beta + gamma * (milk$mean - x %*% beta)))
keep("milk", paste0("mse_", milk$area), g1 + g2 + 2 * g3)

# --- Austrian households: a population, of which every fifth of most areas is a sample
data(eusilc)
heads <- eusilc[!duplicated(eusilc$db030), ]
sums <- function(v) as.vector(tapply(v, eusilc$db030, sum, na.rm = TRUE)[as.character(heads$db030)])
set.seed(20180901)
population <- data.frame(
  household_id = heads$db030,
  area = paste0(substr(gsub("[^A-Za-z]", "", heads$db040), 1, 5), "-", heads$db030 %% 4),
  income = round(heads$eqIncome, 2),
  self_employment = round(sums(eusilc$py050n), 2),
  size = heads$hsize,
  age = heads$age,
  is_female = as.integer(heads$rb090 == "female"),
  is_full_time = as.integer(heads$pl030 %in% 1),
  weight = round(heads$db090 * runif(nrow(heads), 0.5, 1.5), 2)
)
population <- population[population$income > 0 & !is.na(population$age), ]
population <- population[order(population$household_id), ][seq_len(2400), ]
without_sample <- c("Tyrol-1", "Vienn-2", "Styri-0")
population$in_sample <- as.integer(seq_len(2400) %% 5 == 3 & !population$area %in% without_sample)
write.csv(population, "eusilc_2400.csv", row.names = FALSE, quote = FALSE)
sample <- population[population$in_sample == 1, ]
terms <- ~ size + age + is_female + is_full_time
reml <- function(y) {
  d <- cbind(sample, y = y)
  lme(update(terms, y ~ .), random = ~ 1 | area, data = d, method = "REML", control = lmeControl(tolerance = 1e-10, msTol = 1e-10))
}

# Transformations, scaled by the geometric mean of their Jacobian
geometric <- function(v) exp(mean(log(v)))
power <- function(l) as.numeric(logLik(reml((sample$income^l - 1) / l / geometric(sample$income)^(l - 1))))
keep("box_cox", "parameter", optimize(power, c(0.05, 1.5), maximum = TRUE, tol = 1e-7)$maximum)
shift <- function(s) as.numeric(logLik(reml(log(sample$income + s) * geometric(sample$income + s))))
keep("log_shift", "parameter", optimize(shift, c(-min(sample$income) + 100, 2e5), maximum = TRUE, tol = 1e-3)$maximum)

# Log model: fit, then Monte Carlo as in Molina & Rao (2010), for every household of an area
log_fit <- reml(log(sample$income))
variance <- as.numeric(VarCorr(log_fit)[, "Variance"])
keep("log", c("area_variance", "unit_variance"), variance)
keep("log", paste0("beta_", 0:4), fixef(log_fit))
replicates <- 2000
for (area in sort(unique(population$area))) {
  of_area <- population[population$area == area, ]
  seen <- sample[sample$area == area, ]
  mu <- as.vector(model.matrix(terms, of_area) %*% fixef(log_fit))
  gamma <- variance[1] / (variance[1] + variance[2] / nrow(seen))
  residual <- log(seen$income) - as.vector(model.matrix(terms, seen) %*% fixef(log_fit))
  centre <- if (nrow(seen)) gamma * mean(residual) else 0
  left <- if (nrow(seen)) variance[1] * (1 - gamma) else variance[1]
  made <- replicate(replicates, {
    y <- exp(mu + rnorm(1, centre, sqrt(left)) + rnorm(length(mu), 0, sqrt(variance[2])))
    c(mean(y), gini(y)$value / 100, qsr(y)$value, mean(y < 12000), mean(pmax(12000 - y, 0) / 12000))
  })
  names <- c("mean", "gini", "s80_s20", "head_count_ratio", "poverty_gap")
  keep(paste0("ebp_", area), names, rowMeans(made))
  keep(paste0("ebp_", area), paste0(names, "_sd"), apply(made, 1, sd))
}

# Weights: You & Rao's coefficients and pseudo-EBLUP effects, weights scaled within areas
x <- model.matrix(terms, sample); y <- log(sample$income)
w <- sample$weight * ave(sample$weight, sample$area, FUN = length) / ave(sample$weight, sample$area, FUN = sum)
left <- matrix(0, 5, 5); right <- numeric(5)
for (area in unique(sample$area)) {
  i <- which(sample$area == area)
  g <- variance[1] / (variance[1] + variance[2] * sum(w[i]^2) / sum(w[i])^2)
  xbar <- colSums(w[i] * x[i, , drop = FALSE]) / sum(w[i])
  for (j in i) {
    z <- w[j] * (x[j, ] - g * xbar)
    left <- left + z %o% x[j, ]; right <- right + z * y[j]
  }
}
beta <- solve(left, right)
keep("pseudo", paste0("beta_", 0:4), beta)
for (area in unique(sample$area)) {
  i <- which(sample$area == area)
  g <- variance[1] / (variance[1] + variance[2] * sum(w[i]^2) / sum(w[i])^2)
  keep("pseudo", paste0("effect_", area), g * weighted.mean(y[i] - as.vector(x[i, , drop = FALSE] %*% beta), w[i]))
}

# Who has income from self-employment: logistic regression with area effects. Strong effects are put in, so that there are some.
set.seed(5)
effect <- rnorm(36, 0, 1)[as.integer(factor(population$area))]
population$has <- as.integer(runif(2400) < plogis(-1 + effect + 0.3 * population$size - 0.5 * population$is_female))
write.csv(population[, c("household_id", "has")], "eusilc_2400_has.csv", row.names = FALSE, quote = FALSE)
for (rows_used in c("full", "sample")) {
  used <- if (rows_used == "full") population else population[population$in_sample == 1, ]
  fit <- glmer(has ~ size + is_female + (1 | area), data = used, family = binomial, nAGQ = 25,
               control = glmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9)))
  keep(paste0("logistic_", rows_used), c("area_variance", paste0("beta_", 0:2)), c(as.numeric(VarCorr(fit)$area), fixef(fit)))
}

golden <- do.call(rbind, rows)
golden$value <- format(golden$value, digits = 12, trim = TRUE, scientific = TRUE)
write.csv(golden, "small_area.csv", row.names = FALSE, quote = FALSE)
