#include <ktrdr/training/training_data.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace ktrdr {
namespace {

constexpr std::size_t least_rows = 10;

Error too_few(const TrainingOperationContext& context, const std::string& symbol, const Timeframe& timeframe,
              std::size_t bars, std::size_t needed) {
    return fail(
        Errc::not_enough_data,
        fmt::format("{} {} has {} bars to train on; {} are needed ({} warm the indicators up, {} decide the last "
                    "label, the rest is split {:g}/{:g}/{:g}); load more bars or widen start_date and end_date",
                    symbol, timeframe.name(), bars, needed, warm_up_bars(context.strategy.features),
                    context.strategy.labels.lookahead, context.split.train, context.split.validation,
                    context.split.test),
        {{"symbol", symbol}, {"timeframe", timeframe.name()}, {"bars", bars}, {"bars_needed", needed}});
}

void append(LabeledMatrix& part, const FeatureMatrix& features, const Labels& labels,
            const std::vector<std::size_t>& rows) {
    const std::size_t columns = features.names.size();
    part.columns = columns;
    for (const std::size_t row : rows) {
        const auto first = features.values.begin() + static_cast<std::ptrdiff_t>(row * columns);
        part.values.insert(part.values.end(), first, first + static_cast<std::ptrdiff_t>(columns));
        part.labels.push_back(labels.classes[features.bar[row]]);
    }
    part.rows += rows.size();
}

/// Rows whose label is decided, as row numbers of the matrix.
std::vector<std::size_t> decided_rows(const FeatureMatrix& features, const Labels& labels) {
    std::vector<std::size_t> rows;
    for (std::size_t row = 0; row < features.bar.size(); ++row) {
        if (labels.classes[features.bar[row]] != Labels::undecided) {
            rows.push_back(row);
        }
    }
    return rows;
}

/// Split numbers count decided rows; matrices count their own.
void to_matrix_rows(std::vector<std::size_t>& part, const std::vector<std::size_t>& rows) {
    std::ranges::transform(part, part.begin(), [&rows](std::size_t index) { return rows[index]; });
}

SplitRows split_rows(const FeatureMatrix& features, const Labels& labels, const FeatureSeries& base,
                     const std::vector<std::size_t>& rows, SplitShares shares) {
    std::vector<UtcTime> starts;
    std::vector<UtcTime> ends;
    for (const std::size_t row : rows) {
        starts.push_back(base.grid.period_of(base.bars->start_of(features.bar[row])).start);
        ends.push_back(labels.ends[features.bar[row]]);
    }
    SplitRows parts = split_in_time(starts, ends, shares);
    to_matrix_rows(parts.train, rows);
    to_matrix_rows(parts.validation, rows);
    to_matrix_rows(parts.test, rows);
    return parts;
}

/// Prepares one symbol after the other into one `TrainingData`.
class Preparation final {
public:
    Preparation(const TrainingOperationContext& context, BarProvider& provider, const CancellationToken& token,
                const PreparationListener& listener)
        : context_(context), provider_(provider), token_(token), listener_(listener) {}

    Result<std::shared_ptr<const TrainingData>> run() {
        for (index_ = 0; index_ < context_.symbols.size(); ++index_) {
            stage_ = preparation_stages.size();
            if (auto added = add_symbol(context_.symbols[index_]); !added) {
                return added.error();
            }
        }
        const auto& [train, validation, test] = data_->rows;
        if (train.rows == 0 || validation.rows == 0 || test.rows == 0) {
            return fail(
                Errc::not_enough_data,
                fmt::format("after the split {} rows train, {} validate and {} test; every part needs rows: load "
                            "more bars or change data_split",
                            train.rows, validation.rows, test.rows));
        }
        return std::shared_ptr<const TrainingData>(std::move(data_));
    }

private:
    Result<void> enter(std::string_view stage) {
        const auto index =
            static_cast<std::size_t>(std::ranges::find(preparation_stages, stage) - preparation_stages.begin());
        // Every input asks again; the listener hears a stage when it changes, and indicators alternate with sets.
        if (index != stage_ && (stage_ == preparation_stages.size() || index > stage_)) {
            stage_ = index;
            listener_(index_, index);
        }
        return token_.check(fmt::format("preparing {}: {}", context_.symbols[index_], stage));
    }

    Result<std::vector<FeatureSeries>> load(const std::string& symbol) {
        std::vector<FeatureSeries> series;
        for (const Timeframe& timeframe : context_.timeframes) {
            if (auto go = enter("loading"); !go) {
                return go.error();
            }
            auto bars = provider_.bars(symbol, timeframe, context_.range(), token_);
            if (!bars) {
                return bars.error();
            }
            if (const auto found = note_breaks(symbol, timeframe, **bars); !found) {
                return found.error();
            }
            const bool base = timeframe == context_.base_timeframe();
            const std::size_t needed =
                std::max(context_.strategy.history_required,
                         base ? bars_needed(context_) : warm_up_bars(context_.strategy.features) + 1);
            if ((*bars)->size() < needed) {
                return too_few(context_, symbol, timeframe, (*bars)->size(), needed);
            }
            series.push_back({BarGrid(timeframe), std::move(*bars)});
        }
        return series;
    }

    Result<void> note_breaks(const std::string& symbol, const Timeframe& timeframe, const Bars& bars) {
        if (bars.empty()) {
            return {};
        }
        // What begins with the first bar parts it from none that is here.
        const TimeRange between{bars.start_of(0) + std::chrono::nanoseconds{1},
                                bars.start_of(bars.size() - 1) + std::chrono::nanoseconds{1}};
        auto found = provider_.breaks(symbol, timeframe, between);
        if (!found) {
            return found.error();
        }
        std::ranges::move(*found, std::back_inserter(data_->breaks));
        return {};
    }

    Result<void> add_symbol(const std::string& symbol) {
        const auto series = load(symbol);
        if (!series) {
            return series.error();
        }
        const auto features = build_features(context_.strategy.features, *series, context_.base,
                                             [this](std::string_view step) { return enter(step); });
        if (!features) {
            return features.error();
        }
        if (auto go = enter("labels"); !go) {
            return go;
        }
        const FeatureSeries& base = (*series)[context_.base];
        const auto labels = forward_return_labels(*base.bars, base.grid, context_.strategy.labels);
        if (!labels) {
            return labels.error();
        }
        join(symbol, base, *features, *labels);
        return {};
    }

    void join(const std::string& symbol, const FeatureSeries& base, const FeatureMatrix& features,
              const Labels& labels) {
        const std::vector<std::size_t> rows = decided_rows(features, labels);
        const SplitRows parts = split_rows(features, labels, base, rows, context_.split);
        const Bars& bars = *base.bars;
        data_->feature_names = features.names;
        append(data_->rows.train, features, labels, parts.train);
        append(data_->rows.validation, features, labels, parts.validation);
        append(data_->rows.test, features, labels, parts.test);
        data_->symbols.push_back({symbol, bars.size(), bars.start_of(0), bars.start_of(bars.size() - 1),
                                  features.dropped, features.bar.size() - rows.size(), parts.purged, parts.train.size(),
                                  parts.validation.size(), parts.test.size()});
    }

    const TrainingOperationContext& context_;
    BarProvider& provider_;
    const CancellationToken& token_;
    const PreparationListener& listener_;
    std::size_t index_{0};
    std::size_t stage_{0};
    std::shared_ptr<TrainingData> data_ = std::make_shared<TrainingData>();
};

}  // namespace

std::size_t bars_needed(const TrainingOperationContext& context) {
    const std::size_t lookahead = context.strategy.labels.lookahead;
    const double smallest = std::min({context.split.train, context.split.validation, context.split.test});
    const auto rows = static_cast<std::size_t>(std::ceil(static_cast<double>(lookahead + least_rows) / smallest));
    return warm_up_bars(context.strategy.features) + lookahead + rows;
}

Result<std::shared_ptr<const TrainingData>> prepare_training_data(const TrainingOperationContext& context,
                                                                  BarProvider& bars, const CancellationToken& token,
                                                                  const PreparationListener& listener) {
    return Preparation(context, bars, token, listener).run();
}

}  // namespace ktrdr
