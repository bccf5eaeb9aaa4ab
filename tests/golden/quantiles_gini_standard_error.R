# Golden values for weighted quantiles, Gini coefficient and standard error of a mean.
#
# Run in this folder: Rscript quantiles_gini_standard_error.R
# Made with R 4.2 and the packages laeken 0.5.2 and survey 4.1 of Debian 12. Data: 500 households of the synthetic
# data set `eusilc` that comes with laeken (Alfons & Templ 2013, Journal of Statistical Software 54(15)).
library(laeken)
suppressPackageStartupMessages(library(survey))

data(eusilc)
persons <- eusilc[!duplicated(eusilc$db030), ]
households <- head(persons[order(persons$db030), ], 500)
sample <- data.frame(
  household_id = households$db030,
  region = as.character(households$db040),
  income = round(households$eqIncome, 2),
  weight = round(households$rb050, 4)
)
write.csv(sample, "eusilc_500.csv", row.names = FALSE, quote = FALSE)

probabilities <- c(p10 = 0.1, p25 = 0.25, median = 0.5, p75 = 0.75, p90 = 0.9)
statistics_of <- function(rows, region) {
  design <- svydesign(ids = ~1, weights = ~weight, data = rows)
  values <- c(
    setNames(weightedQuantile(rows$income, rows$weight, probs = probabilities), names(probabilities)),
    gini = gini(rows$income, weights = rows$weight)$value / 100,
    mean = unname(coef(svymean(~income, design))),
    standard_error = unname(SE(svymean(~income, design)))
  )
  data.frame(region = region, statistic = names(values), value = format(values, digits = 15, trim = TRUE))
}
golden <- do.call(rbind, c(
  list(statistics_of(sample, "all")),
  lapply(sort(unique(sample$region)), function(region) statistics_of(sample[sample$region == region, ], region))
))
write.csv(golden, "eusilc_500_statistics.csv", row.names = FALSE, quote = FALSE)
