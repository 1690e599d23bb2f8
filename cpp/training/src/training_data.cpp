#include <ktrdr/training/training_data.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include <ktrdr/base/memory.hpp>
#include <ktrdr/cancellation/work_check.hpp>
#include <ktrdr/market/time_text.hpp>

namespace ktrdr {
namespace {

constexpr std::size_t least_rows = 10;

/// Bars between a row and the first that may follow it in another part.
std::size_t bars_between_parts(const TrainingOperationContext& context) {
    return context.strategy.labels.lookahead + context.strategy.embargo;
}

/// What so many bars are needed for; where they are split, for rows of all parts, too.
std::string need_of(const TrainingOperationContext& context, std::size_t needed, bool is_split) {
    if (needed == context.strategy.history_required) {
        return "training_data.history_required of the strategy";
    }
    const std::string warm_up = fmt::format("{} warm the indicators up", warm_up_bars(context.strategy.features));
    if (!is_split) {
        return warm_up;
    }
    const auto& [train, validation, test] = context.split;
    const std::string split = context.test_from ? fmt::format("split {:g}/{:g} before {}, where the test begins", train,
                                                              validation, *context.test_from)
                                                : fmt::format("split {:g}/{:g}/{:g}", train, validation, test);
    return fmt::format("{}, {} decide the last label, the rest is {}", warm_up, context.strategy.labels.lookahead,
                       split);
}

Error too_few(const std::string& symbol, const Timeframe& timeframe, std::size_t bars, std::size_t needed,
              std::string_view use, const std::string& need) {
    return fail(
        Errc::not_enough_data,
        fmt::format("{} {} has {} bars to {}; {} are needed ({}); load more bars or widen start_date and end_date",
                    symbol, timeframe.name(), bars, use, needed, need),
        {{"symbol", symbol}, {"timeframe", timeframe.name()}, {"bars", bars}, {"bars_needed", needed}});
}

/// The rows of one symbol before it is known which part each belongs to. Label, times and weight are of a bar, not of a
/// row.
struct SymbolRows {
    FeatureMatrix features{};
    Labels labels{};
    /// Rows of the matrix whose label is decided.
    std::vector<std::size_t> decided{};
    /// Of the decided rows: when each one's bar starts, and when its label is known and the embargo behind it is over.
    std::vector<UtcTime> starts{};
    std::vector<UtcTime> ends{};
};

/// When bars end, those that would follow the last one among them.
class PeriodEnds final {
public:
    /// Both outlive it.
    PeriodEnds(const Bars& bars, const BarGrid& grid) : bars_(bars), grid_(grid) {}

    [[nodiscard]] UtcTime of(std::size_t bar) {
        if (bar < bars_.size()) {
            return grid_.end_of(bars_.start_of(bar));
        }
        UtcTime stamp = behind_.empty() ? bars_.start_of(bars_.size() - 1) : behind_.back();
        while (behind_.size() <= bar - bars_.size()) {
            stamp = grid_.next(stamp);
            behind_.push_back(stamp);
        }
        return grid_.end_of(behind_[bar - bars_.size()]);
    }

private:
    const Bars& bars_;
    const BarGrid& grid_;
    /// Stamps behind the last bar, as far as somebody has asked for them.
    std::vector<UtcTime> behind_{};
};

/// Which rows of the matrix are decided, and their times.
Result<void> find_decided(SymbolRows& rows, const FeatureSeries& base, std::size_t embargo, DroppedRows& dropped,
                          WorkPieces& pieces) {
    PeriodEnds ends(*base.bars, base.grid);
    for (std::size_t row = 0; row < rows.features.bar.size(); ++row) {
        if (pieces.is_due()) {
            if (auto go = pieces.check(); !go) {
                return go;
            }
        }
        const std::size_t bar = rows.features.bar[row];
        if (rows.labels.reasons[bar] != DropReason::none) {
            dropped.add(rows.labels.reasons[bar]);
            continue;
        }
        rows.decided.push_back(row);
        rows.starts.push_back(base.grid.period_of(base.bars->start_of(bar)).start);
        rows.ends.push_back(embargo == 0 ? rows.labels.ends[bar] : ends.of(rows.labels.last[bar] + embargo));
    }
    return {};
}

/// `rows` count the decided ones.
Result<void> append(LabeledMatrix& part, const SymbolRows& from, const std::vector<std::size_t>& rows,
                    WorkPieces& pieces) {
    const std::size_t columns = from.features.names.size();
    part.columns = columns;
    for (const std::size_t row : rows) {
        if (pieces.is_due()) {
            if (auto go = pieces.check(); !go) {
                return go;
            }
        }
        const std::size_t in_matrix = from.decided[row];
        const std::size_t bar = from.features.bar[in_matrix];
        const auto first = from.features.values.begin() + static_cast<std::ptrdiff_t>(in_matrix * columns);
        part.values.insert(part.values.end(), first, first + static_cast<std::ptrdiff_t>(columns));
        part.labels.push_back(from.labels.classes[bar]);
    }
    part.rows += rows.size();
    return {};
}

void append_weights(LabeledMatrix& part, const SymbolRows& from, const std::vector<std::size_t>& rows) {
    for (const std::size_t row : rows) {
        part.weights.push_back(static_cast<float>(from.labels.weights[from.features.bar[from.decided[row]]]));
    }
}

/// Prepares one symbol after the other, then splits all of them at the same times.
class Preparation final {
public:
    /// `judged` is the model that is there already; null for one that is to be trained.
    Preparation(const TrainingOperationContext& context, const JudgedModel* judged, BarProvider& provider,
                const CancellationToken& token, const PreparationListener& listener)
        : context_(context), judged_(judged), provider_(provider), token_(token), check_(token), listener_(listener) {}

    Result<std::shared_ptr<const TrainingData>> run() {
        for (index_ = 0; index_ < context_.symbols.size(); ++index_) {
            stage_ = preparation_stages.size();
            if (auto added = add_symbol(context_.symbols[index_]); !added) {
                return added.error();
            }
        }
        if (auto split = judged_ != nullptr ? take_judged_rows() : split_rows(); !split) {
            return split.error();
        }
        if (judged_ == nullptr && context_.strategy.scale_features) {
            if (auto scaled = scale_rows(); !scaled) {
                return scaled.error();
            }
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
        return check_(fmt::format("preparing {}: {}", context_.symbols[index_], stage));
    }

    Result<std::vector<FeatureSeries>> load(const std::string& symbol) {
        std::vector<FeatureSeries> series;
        for (const Timeframe& timeframe : context_.timeframes) {
            if (auto go = enter("loading"); !go) {
                return go.error();
            }
            auto bars = bars_of(context_, provider_, symbol, timeframe, token_);
            if (!bars) {
                return bars.error();
            }
            auto basis = provider_.basis(symbol, timeframe);
            if (!basis) {
                return basis.error();
            }
            data_->series.push_back(std::move(*basis));
            if (const auto found = note_breaks(symbol, timeframe, **bars); !found) {
                return found.error();
            }
            const bool is_split = timeframe == context_.base_timeframe() && judged_ == nullptr;
            const std::size_t needed =
                std::max(context_.strategy.history_required,
                         is_split ? bars_needed(context_) : warm_up_bars(context_.strategy.features) + 1);
            if ((*bars)->size() < needed) {
                return too_few(symbol, timeframe, (*bars)->size(), needed,
                               judged_ == nullptr ? "train on" : "judge it on", need_of(context_, needed, is_split));
            }
            series.push_back({BarGrid(timeframe), std::move(*bars), {}});
        }
        if (auto found = find_holes_of(symbol, series); !found) {
            return found.error();
        }
        return series;
    }

    /// Other timeframes must go on for as long as there are rows.
    Result<void> find_holes_of(const std::string& symbol, std::vector<FeatureSeries>& series) {
        const FeatureSeries& base = series[context_.base];
        const UtcTime end = base.grid.end_of(base.bars->start_of(base.bars->size() - 1));
        for (FeatureSeries& one : series) {
            const auto until = &one == &base ? std::nullopt : std::optional(end);
            auto holes = provider_.holes(symbol, one.grid.timeframe(), *one.bars, until);
            if (!holes) {
                return holes.error();
            }
            for (const Hole& hole : *holes) {
                data_->holes.push_back({symbol, one.grid.timeframe(), hole.range, hole.sessions});
            }
            one.holes = std::move(*holes);
        }
        return {};
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
        auto features = build_features(context_.strategy.features, *series, context_.base,
                                       [this](std::string_view step) { return enter(step); });
        if (!features) {
            return features.error();
        }
        if (auto go = enter("labels"); !go) {
            return go;
        }
        const FeatureSeries& base = (*series)[context_.base];
        auto labels = make_labels(*base.bars, base.grid, context_.strategy.labels, base.holes);
        if (!labels) {
            return labels.error();
        }
        const Bars& bars = *base.bars;
        SymbolSummary summary;
        summary.symbol = symbol;
        summary.bars = bars.size();
        summary.first = bars.start_of(0);
        summary.last = bars.start_of(bars.size() - 1);
        summary.dropped = features->dropped;
        SymbolRows rows;
        rows.features = std::move(*features);
        rows.labels = std::move(*labels);
        WorkPieces pieces(check_, "finding the rows whose label is decided");
        if (auto found = find_decided(rows, base, context_.strategy.embargo, summary.dropped, pieces); !found) {
            return found;
        }
        data_->feature_names = rows.features.names;
        data_->symbols.push_back(std::move(summary));
        rows_.push_back(std::move(rows));
        return {};
    }

    /// At one pair of times for all symbols.
    Result<void> split_rows() {
        std::vector<UtcTime> starts;
        for (const SymbolRows& rows : rows_) {
            starts.insert(starts.end(), rows.starts.begin(), rows.starts.end());
        }
        const auto told = first_test_time();
        if (!told) {
            return told.error();
        }
        data_->cuts = *told ? cut_times_before(std::move(starts), context_.split, **told)
                            : cut_times(std::move(starts), context_.split);
        std::vector<SplitRows> parts;
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            if (auto go = check_("splitting the rows"); !go) {
                return go;
            }
            parts.push_back(split_at({rows_[i].starts, rows_[i].ends}, data_->cuts));
            SymbolSummary& summary = data_->symbols[i];
            summary.dropped.add(DropReason::purged, parts[i].purged);
            summary.train = parts[i].train.size();
            summary.validation = parts[i].validation.size();
            summary.test = parts[i].test.size();
        }
        auto& [train, validation, test] = data_->rows;
        reserve(train, &SymbolSummary::train);
        reserve(validation, &SymbolSummary::validation);
        reserve(test, &SymbolSummary::test);
        WorkPieces pieces(check_, "putting the rows into their parts");
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            if (auto taken = append(train, rows_[i], parts[i].train, pieces); !taken) {
                return taken;
            }
            if (context_.strategy.weigh_labels) {
                append_weights(train, rows_[i], parts[i].train);
            }
            if (auto taken = append(validation, rows_[i], parts[i].validation, pieces); !taken) {
                return taken;
            }
            if (auto taken = append_test(rows_[i], parts[i].test, pieces); !taken) {
                return taken;
            }
            // Two copies of its rows are never kept for longer than that.
            rows_[i] = {};
        }
        if (test.rows == 0 && context_.test_from) {
            return fail(Errc::not_enough_data,
                        fmt::format("no bar from {} (test_from) on has a label that is decided: one looks {} bars "
                                    "ahead; load more bars, give an earlier test_from or a later end_date",
                                    *context_.test_from, context_.strategy.labels.lookahead),
                        {{"field", "test_from"}});
        }
        if (train.rows == 0 || validation.rows == 0 || test.rows == 0) {
            return fail(
                Errc::not_enough_data,
                fmt::format(
                    "after the split {} rows train, {} validate and {} test{}; every part needs rows: load "
                    "more bars or {}",
                    train.rows, validation.rows, test.rows, left_out(),
                    context_.test_from ? "give a later test_from" : "change data_split or how bars are labelled"));
        }
        return {};
    }

    /// The bars without a row, by reason, in words.
    [[nodiscard]] std::string left_out() const {
        std::vector<std::string> reasons;
        for (std::size_t reason = 1; reason < drop_reason_count; ++reason) {
            std::size_t bars = 0;
            for (const SymbolSummary& symbol : data_->symbols) {
                bars += symbol.dropped[static_cast<DropReason>(reason)];
            }
            if (bars > 0) {
                reasons.push_back(fmt::format("{} {}", to_string(static_cast<DropReason>(reason)), bars));
            }
        }
        return reasons.empty() ? "" : fmt::format(" (left out: {})", fmt::join(reasons, ", "));
    }

    Result<void> take_judged_rows() {
        const auto told = first_test_time();
        if (!told) {
            return told.error();
        }
        data_->cuts = {told->value_or(judged_->test_from), told->value_or(judged_->test_from)};
        LabeledMatrix& test = data_->rows.test;
        WorkPieces pieces(check_, "taking the rows to judge on");
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            std::vector<std::size_t> taken;
            for (std::size_t row = 0; row < rows_[i].starts.size(); ++row) {
                if (rows_[i].starts[row] >= data_->cuts.test) {
                    taken.push_back(row);
                    data_->symbols[i].seen += rows_[i].starts[row] < judged_->test_from ? 1 : 0;
                }
            }
            data_->symbols[i].test = taken.size();
            if (auto appended = append_test(rows_[i], taken, pieces); !appended) {
                return appended;
            }
            rows_[i] = {};
        }
        if (test.rows == 0) {
            return fail(
                Errc::not_enough_data,
                fmt::format("no bar of {} from {} on has its history and a label that is decided: load more bars, "
                            "or give an earlier start_date",
                            fmt::join(context_.symbols, ", "), format_time(data_->cuts.test)),
                {{"field", "start_date"}});
        }
        data_->rows.train.labels = {judged_->prior};
        if (judged_->scaling != nullptr) {
            data_->scaling = *judged_->scaling;
            scale(*data_->scaling, test.values);
        }
        return {};
    }

    Result<void> append_test(const SymbolRows& from, const std::vector<std::size_t>& rows, WorkPieces& pieces) {
        if (auto taken = append(data_->rows.test, from, rows, pieces); !taken) {
            return taken;
        }
        const BarGrid grid(context_.base_timeframe());
        for (const std::size_t row : rows) {
            data_->test_starts.push_back(from.starts[row]);
            data_->test_closes.push_back(grid.end_of(from.starts[row]));
            data_->test_known.push_back(from.labels.ends[from.features.bar[from.decided[row]]]);
        }
        return {};
    }

    /// Of the symbols whose sessions of that date begin at several times, the first: all are cut there.
    Result<std::optional<UtcTime>> first_test_time() {
        std::optional<UtcTime> first;
        for (const std::string& symbol : context_.symbols) {
            const auto grid = provider_.grid(symbol, context_.base_timeframe());
            const auto begin = grid ? context_.test_from_in(*grid) : grid.error();
            if (!begin) {
                return begin.error();
            }
            if (*begin) {
                first = std::min(first.value_or(UtcTime::max()), **begin);
            }
        }
        return first;
    }

    void reserve(LabeledMatrix& part, std::size_t SymbolSummary::* count) const {
        std::size_t rows = 0;
        for (const SymbolSummary& summary : data_->symbols) {
            rows += summary.*count;
        }
        reserve_large(part.values, rows * data_->feature_names.size());
        part.labels.reserve(rows);
    }

    /// What later parts show has no say in it.
    Result<void> scale_rows() {
        auto& [train, validation, test] = data_->rows;
        if (auto go = check_("fitting the scaling"); !go) {
            return go;
        }
        data_->scaling = fit_scaling(train.values, train.columns);
        for (LabeledMatrix* const part : {&train, &validation, &test}) {
            if (auto go = check_("scaling the rows"); !go) {
                return go;
            }
            scale(*data_->scaling, part->values);
        }
        return {};
    }

    const TrainingOperationContext& context_;
    const JudgedModel* judged_;
    BarProvider& provider_;
    const CancellationToken& token_;
    const WorkCheck check_;
    const PreparationListener& listener_;
    std::size_t index_{0};
    std::size_t stage_{0};
    std::vector<SymbolRows> rows_{};
    std::shared_ptr<TrainingData> data_ = std::make_shared<TrainingData>();
};

}  // namespace

std::vector<std::size_t> TrainingData::test_rows_of_symbols() const {
    std::vector<std::size_t> counts;
    std::ranges::transform(symbols, std::back_inserter(counts), &SymbolSummary::test);
    return counts;
}

Result<BarsPtr> bars_of(const TrainingOperationContext& context, BarProvider& bars, const std::string& symbol,
                        const Timeframe& timeframe, const CancellationToken& token) {
    const auto grid = bars.grid(symbol, timeframe);
    if (!grid) {
        return grid.error();
    }
    const auto range = context.range_in(*grid);
    return range ? bars.bars(symbol, timeframe, *range, token) : range.error();
}

std::size_t bars_needed(const TrainingOperationContext& context) {
    const std::size_t between = bars_between_parts(context);
    const auto& [train, validation, test] = context.split;
    const double smallest =
        context.test_from ? std::min(train, validation) / (train + validation) : std::min({train, validation, test});
    // More than any series has, and less than a whole number holds.
    constexpr double most_rows = 1e15;
    const auto rows =
        static_cast<std::size_t>(std::min(std::ceil(static_cast<double>(between + least_rows) / smallest), most_rows));
    return warm_up_bars(context.strategy.features) + context.strategy.labels.lookahead + rows;
}

Result<std::shared_ptr<const TrainingData>> prepare_training_data(const TrainingOperationContext& context,
                                                                  BarProvider& bars, const CancellationToken& token,
                                                                  const PreparationListener& listener) {
    return Preparation(context, nullptr, bars, token, listener).run();
}

Result<std::shared_ptr<const TrainingData>> prepare_judged_data(const TrainingOperationContext& context,
                                                                const JudgedModel& model, BarProvider& bars,
                                                                const CancellationToken& token,
                                                                const PreparationListener& listener) {
    return Preparation(context, &model, bars, token, listener).run();
}

}  // namespace ktrdr
