"""The anomaly task: forecast the next row, judge the row that comes by how far it is off.

``fit`` trains and calibrates; ``score`` judges a series as the runtime would.
"""

from trainer.anomaly.config import AnomalyConfig
from trainer.anomaly.judge import Alarm
from trainer.anomaly.train import Scored, Trained, fit, score

__all__ = ["Alarm", "AnomalyConfig", "Scored", "Trained", "fit", "score"]
