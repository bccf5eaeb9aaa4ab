"""The income model as MLflow stores it (models from code): parameters from JSON, no pickled object. Needs this package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

from living_finance.income.model import IncomeModel
from living_finance.income.serving import expected_income


class StoredIncomeModel(PythonModel):
    """Expected income of households before benchmarking."""

    def load_context(self, context: Any) -> None:
        """Read the parameters."""
        self.model = IncomeModel.from_json(Path(context.artifacts["model"]).read_text(encoding="utf-8"))

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """One row per household; see `expected_income`."""
        del context, params
        return expected_income(self.model, model_input)


set_model(StoredIncomeModel())
