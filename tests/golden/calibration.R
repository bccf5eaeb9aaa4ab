# Golden values for bounded calibration.
#
# Run in this folder: Rscript calibration.R
# Made with R 4.2 and the packages survey 4.1 and sampling 2.9 of Debian 12. The units are made up here: 240 of them
# in 3 areas, with a size, a tenure, a count of members and a floor area; totals come from weights within 0.6 and
# 1.6 times the base weights, so that every case can be met within its bounds.
suppressPackageStartupMessages({
  library(survey)
  library(sampling)
})

# `calib` stops at a relative gap of 1e-6; with 1e-13 in its place it can be compared to 1e-8.
constants <- grep("1e-06", deparse(calib), fixed = TRUE)
stopifnot(length(constants) > 0)
precise_calib <- eval(parse(text = gsub("1e-06", "1e-13", deparse(calib), fixed = TRUE)), envir = environment(calib))

set.seed(20200131)
units <- data.frame(
  area = rep(c("a", "b", "c"), times = c(60, 80, 100)),
  size = sample(c("1", "2", "3"), 240, replace = TRUE, prob = c(0.4, 0.35, 0.25)),
  tenure = sample(c("owned", "jeonse", "rent"), 240, replace = TRUE),
  members = sample(0:3, 240, replace = TRUE),
  floor_area = round(rlnorm(240, 4, 0.4), 1),
  base_weight = round(runif(240, 0.5, 2), 3)
)
truth <- units$base_weight * runif(240, 0.6, 1.6)
write.csv(units, "calibration_units.csv", row.names = FALSE, quote = FALSE)

columns <- function(rows) {
  cbind(
    model.matrix(~ size - 1, rows), model.matrix(~ tenure - 1, rows)[, -1],
    members = rows$members, floor_area = rows$floor_area
  )
}
# Margins of size and tenure add up to the same total; R gets one column less, ours get all (and the total besides).
totals <- do.call(rbind, lapply(unique(units$area), function(area) {
  rows <- units[units$area == area, ]
  weight <- truth[units$area == area]
  sums <- list(
    households = c(all = sum(weight)), size = tapply(weight, rows$size, sum), tenure = tapply(weight, rows$tenure, sum),
    members = c(all = sum(weight * rows$members)), floor_area = c(all = sum(weight * rows$floor_area))
  )
  data.frame(
    area = area, margin = rep(names(sums), lengths(sums)), category = unlist(lapply(sums, names)),
    total = format(unlist(sums), digits = 17, trim = TRUE)
  )
}))
write.csv(totals, "calibration_totals.csv", row.names = FALSE, quote = FALSE)

tight <- list(maxit = 500, epsilon = 1e-14)
cases <- list(
  list(distance = "truncated_linear", lowest = -Inf, highest = Inf, fun = "linear"),
  list(distance = "truncated_linear", lowest = 0.95, highest = 1.2, fun = "linear"),
  list(distance = "truncated_raking", lowest = 0, highest = Inf, fun = "raking"),
  list(distance = "logit", lowest = 0.4, highest = 2, fun = "logit"),
  list(distance = "logit", lowest = 0.2, highest = 4, fun = "logit")
)
answer <- function(case, area) {
  rows <- units[units$area == area, ]
  x <- columns(rows)
  total <- colSums(x * truth[units$area == area])
  design <- svydesign(ids = ~1, weights = ~base_weight, data = cbind(rows, x))
  formula <- reformulate(paste0("`", colnames(x), "`"), intercept = FALSE)
  calibrated <- calibrate(
    design, formula, population = setNames(total, colnames(model.matrix(formula, design$variables))),
    calfun = case$fun, bounds = c(case$lowest, case$highest), maxit = tight$maxit, epsilon = tight$epsilon
  )
  by_survey <- weights(calibrated)
  method <- if (case$fun == "linear" && is.finite(case$lowest)) "truncated" else case$fun
  arguments <- list(Xs = x, d = rows$base_weight, total = total, method = method, max_iter = 500)
  if (is.finite(case$highest)) arguments$bounds <- c(low = case$lowest, upp = case$highest)
  g <- do.call(precise_calib, arguments)
  by_sampling <- rows$base_weight * g
  stopifnot(max(abs(by_survey - by_sampling)) < 1e-10)
  data.frame(
    distance = case$distance, lowest = case$lowest, highest = case$highest, unit = which(units$area == area),
    survey = format(by_survey, digits = 15, trim = TRUE), sampling = format(by_sampling, digits = 15, trim = TRUE)
  )
}
golden <- do.call(rbind, lapply(cases, function(case) do.call(rbind, lapply(unique(units$area), function(area) answer(case, area)))))
write.csv(golden, "calibration_weights.csv", row.names = FALSE, quote = FALSE)
