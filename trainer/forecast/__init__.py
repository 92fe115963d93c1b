"""The forecasting task: from each new row the quantiles of every horizon.

``fit`` trains, calibrates the bands and judges the forecaster beside trivial forecasts.
"""

from trainer.forecast.config import ForecastConfig
from trainer.forecast.train import Trained, fit

__all__ = ["ForecastConfig", "Trained", "fit"]
