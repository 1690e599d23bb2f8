#include <ktrdr/prediction/model_evaluation.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <boost/json/array.hpp>
#include <string_view>
#include <utility>

#include <ktrdr/base/json.hpp>
#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/calendar/request_times.hpp>
#include <ktrdr/market/time_text.hpp>
#include <ktrdr/prediction/predictor.hpp>
#include <ktrdr/training/evaluation.hpp>
#include <ktrdr/training/test_figures.hpp>
#include <ktrdr/training/training_context.hpp>

#include "stored_texts.hpp"
#include "trained_bars.hpp"

namespace ktrdr {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

/// A member that is an object; an empty one where it is none.
const object& part_of(const object& whole, std::string_view name) {
    static const object none;
    const value* const found = whole.if_contains(name);
    return found != nullptr && found->is_object() ? found->get_object() : none;
}

std::vector<std::string> timeframe_names(const Predictor& model) {
    std::vector<std::string> names;
    for (const Timeframe& timeframe : model.timeframes()) {
        names.emplace_back(timeframe.name());
    }
    return names;
}

std::optional<std::string> said(const object& config, std::string_view name) {
    const std::string_view text = text_or_empty(config, name);
    return text.empty() ? std::nullopt : std::optional<std::string>(text);
}

Error does_not_say(const Predictor& model, std::string_view what) {
    const std::string path = model.files().path.string();
    return fail(Errc::invalid_argument,
                fmt::format("{} does not say {}: train the model anew with this version", path, what),
                {{"path", path}});
}

/// When its own test began.
Result<UtcTime> own_test(const Predictor& model) {
    const auto began =
        parse_time("test_from", text_or_empty(part_of(model.files().metadata, "data_summary"), "test_from"));
    return began ? began : Result<UtcTime>(does_not_say(model, "when its test began"));
}

/// In words of the request: a training's own are others.
Result<void> check_dates(const Predictor& model, const EvaluationRequest& request, UtcTime own_test) {
    const BarGrid grid(model.timeframes()[model.base()]);
    const auto range = parse_dates(request.start_date, request.end_date, grid, {UtcTime::min(), UtcTime::max()});
    if (!range) {
        return range.error();
    }
    if (range->empty()) {
        return fail(Errc::invalid_argument,
                    fmt::format("start_date ({}) must lie before end_date ({})", request.start_date.value_or("unset"),
                                request.end_date.value_or("unset")),
                    {{"field", "start_date"}});
    }
    if (!request.start_date && range->end <= own_test) {
        return fail(Errc::invalid_argument,
                    fmt::format("end_date ({}) lies before {}, where the model's own test began, and without a "
                                "start_date nothing older is judged: give one; it was trained on such bars",
                                *request.end_date, format_time(own_test)),
                    {{"field", "end_date"}});
    }
    return {};
}

/// Moves of other prices are other moves.
Result<void> check_series(const Predictor& model, const TrainingData& data) {
    for (const SeriesBasis& one : data.series) {
        for (std::size_t i = 0; i < model.timeframes().size(); ++i) {
            if (model.timeframes()[i].name() == one.timeframe) {
                if (auto fits = model.check_basis(one.symbol, one.what_to_show, i); !fits) {
                    return fits;
                }
            }
        }
    }
    return {};
}

/// Whether values of its features depend on where the bars begin, and what is judged lies behind where its training's
/// did: only from there on are they what it knows.
bool goes_on_from_training(const Predictor& model, const std::string& start) {
    const std::string_view trained = text_or_empty(model.files().config, "start_date");
    if (trained.empty() || never_forgets(model.strategy().features) == nullptr) {
        return false;
    }
    const BarGrid grid(model.timeframes()[model.base()]);
    const auto from = parse_start("start_date", start, grid);
    const auto began = parse_start("start_date", trained, grid);
    return from && began && *from > *began;
}

/// The request of its training, but for what is judged. The history of the first bar that is judged lies before it:
/// bars are read from where the training's began, or all of them where somebody says what to judge.
TrainingRequest as_training(const Predictor& model, const EvaluationRequest& request, UtcTime own_test) {
    const object& config = model.files().config;
    TrainingRequest training;
    training.strategy = part_of(config, "strategy");
    training.symbols = request.symbols ? request.symbols : std::optional(texts_of(config, "symbols"));
    training.timeframes = timeframe_names(model);
    const bool all = request.start_date && !goes_on_from_training(model, *request.start_date);
    training.start_date = all ? std::nullopt : said(config, "start_date");
    training.end_date = request.end_date;
    training.test_from = request.start_date ? request.start_date : std::optional(format_time(own_test));
    return training;
}

/// The class that was most frequent in training.
Result<std::int64_t> prior_of(const Predictor& model) {
    std::int64_t most = 0;
    std::int64_t prior = 0;
    const object& counts = part_of(part_of(model.files().metadata, "data_summary"), "train_classes");
    for (std::size_t label = 0; label < model.classes().size(); ++label) {
        const value* const found = counts.if_contains(model.classes()[label]);
        boost::system::error_code no_number;
        const auto count = found == nullptr ? 0 : found->to_number<std::int64_t>(no_number);
        if (count > most) {
            most = count;
            prior = static_cast<std::int64_t>(label);
        }
    }
    return most > 0 ? Result<std::int64_t>(prior) : does_not_say(model, "which classes it was trained on");
}

std::vector<std::string> warnings_about(const TrainingData& data, UtcTime own_test) {
    std::vector<std::string> warnings =
        hole_warnings(data.holes, "rows whose window or label would span that are left out");
    std::ranges::move(break_warnings(data.breaks, what_follows_a_break), std::back_inserter(warnings));
    for (const SymbolSummary& one : data.symbols) {
        if (one.seen != 0) {
            warnings.push_back(
                fmt::format("{} of {} rows of {} lie before {}, where the model's own test began: it was trained on "
                            "such, so they say little of what it can do",
                            one.seen, one.test, one.symbol, format_time(own_test)));
        }
    }
    return warnings;
}

template <class Texts>
array texts(const Texts& from) {
    return array(from.begin(), from.end());
}

}  // namespace

Result<object> evaluate_model(const EvaluationRequest& request, BarProvider& bars, const CancellationToken& token,
                              const PreparationListener& listener) {
    const auto model = Predictor::load(request.model);
    if (!model) {
        return model.error();
    }
    const auto own_begin = own_test(**model);
    if (!own_begin) {
        return own_begin.error();
    }
    if (auto dates = check_dates(**model, request, *own_begin); !dates) {
        return dates.error();
    }
    const auto context = build_training_context(as_training(**model, request, *own_begin));
    if (!context) {
        return context.error();
    }
    const auto prior = prior_of(**model);
    if (!prior) {
        return prior.error();
    }
    const JudgedModel judging{(*model)->scaling(), *own_begin, *prior};
    TrainedBars stored(**model, bars, request.series);
    const auto prepared = prepare_judged_data(*context, judging, stored, token, listener);
    if (!prepared) {
        return prepared.error();
    }
    if (auto series = check_series(**model, **prepared); !series) {
        return series.error();
    }
    const auto test = evaluate((*model)->network(), (*prepared)->rows.test, token);
    if (!test) {
        return test.error();
    }
    const TrainingData& data = **prepared;
    const object& baselines = part_of((*model)->files().metrics, "baselines");
    auto figures = test_figures({*context, data, *test, part_of(baselines, "random_walk")}, token);
    if (!figures) {
        return figures.error();
    }
    object judged = std::move(*figures);
    // They are for windows of a walk forward.
    judged["confidence"].get_object()["outcomes"] = nullptr;
    std::size_t seen = 0;
    for (const SymbolSummary& one : data.symbols) {
        seen += one.seen;
    }
    judged["model_path"] = request.model.string();
    judged["rows"] = data.rows.test.rows;
    judged["seen_rows"] = seen;
    judged["from"] = format_time(data.cuts.test);
    judged["to"] = format_time(std::ranges::max(data.symbols, {}, &SymbolSummary::last).last);
    judged["symbols"] = texts(context->symbols);
    judged["timeframes"] = texts(timeframe_names(**model));
    judged["warnings"] = texts(warnings_about(data, *own_begin));
    return judged;
}

}  // namespace ktrdr
