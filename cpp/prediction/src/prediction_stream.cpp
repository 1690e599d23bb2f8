#include <ktrdr/prediction/prediction_stream.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <ktrdr/features/holes.hpp>
#include <ktrdr/market/time_text.hpp>

#include "what_follows.hpp"

namespace ktrdr {
namespace {

UtcTime moment(std::int64_t stamp) {
    return UtcTime{std::chrono::nanoseconds{stamp}};
}

/// By the rule that looks at whole series.
std::vector<Hole> holes_between(const BarGrid& grid, std::int64_t before, std::int64_t after) {
    if (grid.end_of(moment(before)) >= moment(after)) {
        return {};
    }
    Bars two;
    two.push_back(before, 1, 1, 1, 1, 1);
    two.push_back(after, 1, 1, 1, 1, 1);
    return find_holes(two, grid);
}

}  // namespace

PredictionStream::PredictionStream(std::shared_ptr<const Predictor> model, std::size_t history, std::string symbol)
    : model_(std::move(model)), history_(history), symbol_(std::move(symbol)) {
    const FeaturePlan& plan = model_->strategy().features;
    for (std::size_t i = 0; i < model_->timeframes().size(); ++i) {
        SeriesState series(model_->timeframes()[i], model_->grid_of(symbol_, i));
        series.memberships.resize(feature_names(plan, std::array{model_->timeframes()[i]}).size());
        begin_anew(series);
        series_.push_back(std::move(series));
    }
    row_.reserve(model_->feature_names().size());
}

void PredictionStream::begin_anew(SeriesState& series) const {
    series.sources.clear();
    for (const FeatureSource& source : model_->strategy().features.sources) {
        series.sources.push_back({source.indicator.state(), std::vector<double>(source.indicator.inputs().size()),
                                  std::vector<double>(source.indicator.spec().outputs.size())});
    }
    series.bars = 0;
    series.close_before = no_value;
}

void PredictionStream::take(SeriesState& series, const NewBar& bar) {
    const FeaturePlan& plan = model_->strategy().features;
    const std::size_t depth = plan.lags + 1;
    const auto holes = series.taken ? holes_between(series.sessions, *series.taken, bar.time) : std::vector<Hole>{};
    if (!holes.empty()) {
        begin_anew(series);
        holes_.push_back({symbol_, series.grid.timeframe(), holes.front().range, holes.front().sessions});
    }
    series.taken = bar.time;
    double* place = series.memberships.data() + series.bars % depth;
    for (std::size_t i = 0; i < plan.sources.size(); ++i) {
        auto& [state, inputs, outputs] = series.sources[i];
        const auto columns = plan.sources[i].indicator.inputs();
        for (std::size_t input = 0; input < columns.size(); ++input) {
            inputs[input] = bar.values[static_cast<std::size_t>(columns[input])];
        }
        state->next(inputs, outputs);
        for (const FuzzyInput& input : plan.sources[i].inputs) {
            if (!is_read_on(input, series.grid.timeframe().name())) {
                continue;
            }
            for (const NamedFuzzySet& named : input.sets) {
                *place = named.set.membership(outputs[input.output]);
                place += depth;
            }
        }
    }
    if (plan.price_context) {
        const auto& [open, high, low, close, volume] = bar.values;
        for (const double value : price_context_of({open, high, low, close, series.close_before})) {
            *place = value;
            place += depth;
        }
        series.close_before = close;
    }
    ++series.bars;
}

bool PredictionStream::fill_row() {
    const std::size_t depth = model_->strategy().features.lags + 1;
    row_.clear();
    bool whole = true;
    for (const SeriesState& series : series_) {
        for (std::size_t first = 0; first < series.memberships.size(); first += depth) {
            for (std::size_t lag = 0; lag < depth; ++lag) {
                const double value =
                    lag < series.bars ? series.memberships[first + (series.bars - 1 - lag) % depth] : no_value;
                row_.push_back(static_cast<float>(value));
                whole = whole && std::isfinite(row_.back());
            }
        }
        whole = whole && series.bars > history_;
    }
    if (model_->scaling() != nullptr) {
        scale(*model_->scaling(), row_);
    }
    return whole;
}

std::vector<std::string> PredictionStream::warnings() const {
    return hole_warnings(holes_, what_follows_a_hole(history_));
}

std::size_t PredictionStream::missing(std::size_t timeframe) const {
    const SeriesState& series = series_[timeframe];
    return history_ + 1 - std::min(history_ + 1, series.bars + series.waiting.size());
}

Result<std::optional<Prediction>> PredictionStream::push(std::size_t timeframe, const NewBar& bar) {
    SeriesState& series = series_[timeframe];
    const std::string_view name = series.grid.timeframe().name();
    if (series.last && bar.time <= *series.last) {
        return fail(Errc::invalid_argument,
                    fmt::format("the {} bar of {} came after that of {}: bars are handed in once each, oldest first",
                                name, format_time(moment(bar.time)), format_time(moment(*series.last))),
                    {{"timeframe", name}});
    }
    const UtcTime end = series.grid.end_of(moment(bar.time));
    if (timeframe != model_->base()) {
        if (known_ && end <= *known_) {
            return fail(
                Errc::invalid_argument,
                fmt::format("the {} bar of {} was closed before the last {} bar, which should have used it: hand "
                            "bars of other timeframes in first",
                            name, format_time(moment(bar.time)), series_[model_->base()].grid.timeframe().name()),
                {{"timeframe", name}});
        }
        series.last = bar.time;
        series.waiting.push_back(bar);
        return std::optional<Prediction>();
    }
    series.last = bar.time;
    known_ = end;
    for (SeriesState& other : series_) {
        while (!other.waiting.empty() && other.grid.is_closed(moment(other.waiting.front().time), end)) {
            take(other, other.waiting.front());
            other.waiting.pop_front();
        }
    }
    take(series, bar);
    if (!fill_row()) {
        return std::optional<Prediction>();
    }
    Prediction prediction{bar.time, 0, std::vector<float>(model_->classes().size())};
    model_->network().chances(row_, prediction.chances, scratch_);
    prediction.predicted = largest_of(prediction.chances);
    return std::optional<Prediction>(std::move(prediction));
}

}  // namespace ktrdr
