# Golden values for inequality, polarisation, relative poverty and their standard errors.
#
# Run in this folder: Rscript inequality.R
# Made with R 4.2 and the package laeken 0.5.2 of Debian 12, on eusilc_500.csv (see quantiles_gini_standard_error.R).
# Gini, S80/S20 and the poverty rate are laeken's (Alfons & Templ 2013); Theil, Wolfson, Lorenz ordinates and class
# shares are written down here from their definitions, with the Lorenz curve as a polygon, by approx(). Standard
# errors are those of 1,000 samples of 500 drawn with replacement, of everybody and of each region's poverty rate
# (its line is everybody's, from the same draw).
library(laeken)

people <- read.csv("eusilc_500.csv")

lorenz <- function(y, w, p) {
  o <- order(y)
  y <- y[o]; w <- w[o]
  approx(c(0, cumsum(w) / sum(w)), c(0, cumsum(w * y) / sum(w * y)), xout = p, ties = "ordered")$y
}
median_of <- function(y, w) unname(weightedQuantile(y, w, probs = 0.5))
share <- function(is_in, w) sum(w[is_in]) / sum(w)
theil <- function(y, w) {
  mu <- weighted.mean(y, w)
  r <- y / mu
  sum(w * ifelse(r > 0, r * log(r), 0)) / sum(w)
}
wolfson <- function(y, w) {
  g <- gini(y, weights = w)$value / 100
  2 * (2 * (0.5 - lorenz(y, w, 0.5)) - g) * weighted.mean(y, w) / median_of(y, w)
}
all_measures <- function(y, w) {
  m <- median_of(y, w)
  q <- unname(weightedQuantile(y, w, probs = c(0.1, 0.9)))
  c(
    median_equivalised_income = m,
    gini = gini(y, weights = w)$value / 100,
    s80_s20 = qsr(y, weights = w)$value,
    p90_p10 = q[2] / q[1],
    wolfson = wolfson(y, w),
    theil = theil(y, w),
    lorenz_50 = lorenz(y, w, 0.5),
    lorenz_90 = lorenz(y, w, 0.9),
    middle_50_150 = share(y >= 0.5 * m & y <= 1.5 * m, w),
    middle_75_200 = share(y >= 0.75 * m & y <= 2 * m, w),
    poverty_rate = arpr(y, weights = w, p = 0.5)$value / 100
  )
}
poverty_by_region <- function(rows) {
  r <- arpr(rows$income, weights = rows$weight, breakdown = rows$region, p = 0.5)$valueByStratum
  setNames(r$value / 100, r$stratum)
}

set.seed(20180901)
regions <- sort(unique(people$region))
draws <- replicate(1000, {
  drawn <- people[sample(nrow(people), replace = TRUE), ]
  c(all_measures(drawn$income, drawn$weight), poverty_by_region(drawn)[regions])
})
errors <- apply(draws, 1, sd, na.rm = TRUE)
whole <- all_measures(people$income, people$weight)
golden <- data.frame(region = "all", statistic = names(whole), value = whole, standard_error = errors[names(whole)])
for (region in regions) {
  inside <- people[people$region == region, ]
  own <- all_measures(inside$income, inside$weight)
  own <- own[!(names(own) %in% c("middle_50_150", "middle_75_200", "poverty_rate"))]
  golden <- rbind(golden, data.frame(region = region, statistic = names(own), value = own, standard_error = NA))
}
by_region <- poverty_by_region(people)
golden <- rbind(golden, data.frame(
  region = regions, statistic = "poverty_rate", value = by_region[regions], standard_error = errors[regions]
))
golden$value <- format(golden$value, digits = 15, trim = TRUE)
golden$standard_error <- format(golden$standard_error, digits = 6, trim = TRUE)
write.csv(golden, "eusilc_500_inequality.csv", row.names = FALSE, quote = FALSE)
