#!/bin/sh
# In the image: spark-submit a job to SPARK_MASTER with the verified jars. Executors run the same image, so they have the package.
set -eu
jars="$(find /opt/living-finance/share/living-finance/jars -name '*.jar' | sort | paste -sd, -)"
job="$1"
shift
exec spark-submit --master "${SPARK_MASTER:?}" --jars "$jars" "/opt/living-finance/jobs/$job.py" "$@"
