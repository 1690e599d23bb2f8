"""Indicators over whole series and over bars as they come, and the feature matrix of a strategy: numpy in and out."""

from .bands import bollinger_band_width, bollinger_bands, keltner, squeeze_intensity
from .by_name import Stream, WarmUp, indicator, indicator_names, stream, warm_up
from .matrix import FeatureMatrix, feature_matrix
from .moving_averages import distance_from_ma, ema, sma
from .oscillators import cci, fisher, macd, momentum, roc, rsi, rvi
from .outputs import (
    Adx,
    Aroon,
    Channel,
    FloatArray,
    Ichimoku,
    Macd,
    SignalLine,
    Stochastic,
    SuperTrend,
    ZigZag,
)
from .ranges import aroon, donchian, ichimoku, stochastic, williams_r
from .trends import adx, atr, parabolic_sar, supertrend, zigzag
from .volumes import ad_line, cmf, mfi, obv, volume_ratio, vwap

__all__ = [
    "Adx",
    "Aroon",
    "Channel",
    "FeatureMatrix",
    "FloatArray",
    "Ichimoku",
    "Macd",
    "SignalLine",
    "Stochastic",
    "Stream",
    "SuperTrend",
    "WarmUp",
    "ZigZag",
    "ad_line",
    "adx",
    "aroon",
    "atr",
    "bollinger_band_width",
    "bollinger_bands",
    "cci",
    "cmf",
    "distance_from_ma",
    "donchian",
    "ema",
    "feature_matrix",
    "fisher",
    "ichimoku",
    "indicator",
    "indicator_names",
    "keltner",
    "macd",
    "mfi",
    "momentum",
    "obv",
    "parabolic_sar",
    "roc",
    "rsi",
    "rvi",
    "sma",
    "squeeze_intensity",
    "stochastic",
    "stream",
    "supertrend",
    "volume_ratio",
    "vwap",
    "warm_up",
    "williams_r",
    "zigzag",
]
