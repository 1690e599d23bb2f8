#include <ktrdr/training/judgement.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include <ktrdr/base/json.hpp>
#include <ktrdr/market/time_text.hpp>

#include "figure.hpp"

namespace ktrdr {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

std::int64_t sum_of(const std::vector<std::int64_t>& values) {
    return std::accumulate(values.begin(), values.end(), std::int64_t{0});
}

double share_of_rows(const std::vector<std::int64_t>& part, const TestOutcomes& outcomes) {
    const std::int64_t rows = sum_of(outcomes.rows);
    return rows == 0 ? std::numeric_limits<double>::quiet_NaN()
                     : static_cast<double>(sum_of(part)) / static_cast<double>(rows);
}

std::string percent(double share) {
    return fmt::format("{:.1f} %", 100 * share);
}

/// Whether more is gained over the prior than by the same training on a random walk, by more than chance gives: the
/// intervals of two measurements that know nothing of each other, put together. Nothing without such a walk.
std::optional<bool> beats_random_walk(const Confidence& sure, double gain, std::optional<WalkGain> walk) {
    if (!walk || !std::isfinite(sure.gain.low)) {
        return std::nullopt;
    }
    return gain - walk->gain > std::hypot(gain - sure.gain.low, walk->high - walk->gain);
}

std::string verdict(const TestOutcomes& outcomes, const Confidence& sure, const std::string& saying,
                    std::optional<bool> beyond_walk) {
    const std::size_t times = outcomes.rows.size();
    if (times == 0) {
        return "There are no test rows, so nothing can be said of the model.";
    }
    const std::string always = fmt::format("always {} ({})", saying, percent(share_of_rows(outcomes.always, outcomes)));
    const std::string right =
        fmt::format("{} of the test rows are right", percent(share_of_rows(outcomes.right, outcomes)));
    if (!std::isfinite(sure.gain.low)) {
        return fmt::format(
            "{}, but too few were tested to tell whether that is more than {}: rows within {} bars share their answer, "
            "so "
            "{} bars are {} answers, and {} are needed; test on at least {} bars.",
            right, always, sure.block_rows, times, times / sure.block_rows, Confidence::fewest_blocks,
            Confidence::fewest_blocks * sure.block_rows);
    }
    const std::string range = fmt::format("{} ({:g} % interval {} to {})", right, 100 * sure.level,
                                          percent(sure.accuracy.low), percent(sure.accuracy.high));
    if (sure.beats_prior() && beyond_walk == false) {
        return fmt::format(
            "{}, which beats {}, but not by more than the same training does on a random walk, where nothing can be "
            "foreseen: that much is in how its labels are made.",
            range, always);
    }
    if (sure.beats_prior()) {
        return fmt::format("{}, which beats {} by more than chance gives{}.", range, always,
                           beyond_walk ? "" : "; no random walk was trained on to compare it with");
    }
    if (sure.gain.high < 0) {
        return fmt::format("{}, which is worse than {}.", range, always);
    }
    return fmt::format("{}, which does not beat {} by more than chance gives.", range, always);
}

array numbers(const std::vector<std::int64_t>& values) {
    return array(values.begin(), values.end());
}

std::optional<std::int64_t> count_of(const value& told) {
    boost::system::error_code odd;
    const auto count = told.is_number() ? told.to_number<std::int64_t>(odd) : -1;
    return odd || count < 0 ? std::nullopt : std::optional(count);
}

/// One column of outcomes; empty where it is none.
std::vector<std::int64_t> counts_in(const object& told, std::string_view key) {
    std::vector<std::int64_t> counts;
    const value* const found = told.if_contains(key);
    if (found == nullptr || !found->is_array()) {
        return counts;
    }
    for (const value& one : found->get_array()) {
        const auto count = count_of(one);
        if (!count) {
            return {};
        }
        counts.push_back(*count);
    }
    return counts;
}

bool are_outcomes(const TestOutcomes& outcomes) {
    const std::size_t times = outcomes.rows.size();
    if (outcomes.right.size() != times || outcomes.always.size() != times) {
        return false;
    }
    for (std::size_t i = 0; i < times; ++i) {
        if (outcomes.right[i] < 0 || outcomes.always[i] < 0 || outcomes.rows[i] < outcomes.right[i] ||
            outcomes.rows[i] < outcomes.always[i]) {
            return false;
        }
    }
    return true;
}

/// Newest first, as the outcomes of each.
Result<std::vector<TestedWindow>> windows_of(const array& told, std::string_view key) {
    std::vector<TestedWindow> windows;
    for (const value& one : told) {
        const value* const found = one.is_object() ? one.get_object().if_contains(key) : nullptr;
        auto window = read_tested_window(found == nullptr ? value(nullptr) : *found);
        if (!window) {
            return window.error();
        }
        windows.push_back(std::move(*window));
    }
    std::ranges::sort(windows, std::greater{}, &TestedWindow::from);
    return windows;
}

Result<void> check_apart(const std::vector<TestedWindow>& newest_first) {
    for (std::size_t i = 1; i < newest_first.size(); ++i) {
        const TestedWindow& later = newest_first[i - 1];
        const TestedWindow& earlier = newest_first[i];
        if (earlier.to >= later.from) {
            return fail(Errc::invalid_argument,
                        fmt::format("the test from {} goes on to {}, behind the beginning of the one from {}: rows of "
                                    "both would count twice, so they are not judged together; give a step that is at "
                                    "least as long as the test",
                                    format_time(earlier.from), format_time(earlier.to), format_time(later.from)),
                        {{"field", "step"}});
        }
    }
    return {};
}

void append_counts(std::vector<std::int64_t>& to, const std::vector<std::int64_t>& from) {
    to.insert(to.end(), from.begin(), from.end());
}

TestedWindow put_together(const std::vector<TestedWindow>& newest_first) {
    TestedWindow whole;
    for (const TestedWindow& window : newest_first) {
        append_counts(whole.outcomes.rows, window.outcomes.rows);
        append_counts(whole.outcomes.right, window.outcomes.right);
        append_counts(whole.outcomes.always, window.outcomes.always);
        whole.horizon = std::max(whole.horizon, window.horizon);
    }
    return whole;
}

/// Nothing where a window has none: a part of them would be compared with all.
std::optional<WalkGain> pooled_walk(const array& told) {
    const auto windows = windows_of(told, "random_walk");
    if (!windows) {
        return std::nullopt;
    }
    const TestedWindow whole = put_together(*windows);
    const auto sure = confidence_of(whole.outcomes, whole.horizon);
    const double high = sure ? sure->gain.high : std::numeric_limits<double>::quiet_NaN();
    return std::isfinite(high) ? std::optional(WalkGain{gain_over_prior(whole.outcomes), high}) : std::nullopt;
}

}  // namespace

Result<TestedWindow> tested_window(const TrainingOperationContext& context, const TrainingData& data,
                                   std::span<const std::int64_t> predicted, const WorkCheck& check) {
    auto outcomes = outcomes_on_test(data, predicted, check);
    if (!outcomes) {
        return outcomes.error();
    }
    const auto horizon =
        horizon_in_times(data.test_starts, data.test_rows_of_symbols(), context.strategy.labels.lookahead, check);
    if (!horizon) {
        return horizon.error();
    }
    TestedWindow window{std::move(*outcomes), data.cuts.test, data.cuts.test, *horizon};
    for (const SymbolSummary& symbol : data.symbols) {
        window.to = std::max(window.to, symbol.last);
    }
    return window;
}

double gain_over_prior(const TestOutcomes& outcomes) {
    return share_of_rows(outcomes.right, outcomes) - share_of_rows(outcomes.always, outcomes);
}

Result<object> judgement(const TestOutcomes& outcomes, std::size_t horizon, const std::string& always,
                         std::optional<WalkGain> walk, const WorkCheck& check) {
    const auto found = confidence_of(outcomes, horizon, check);
    if (!found) {
        return found.error();
    }
    const Confidence& sure = *found;
    const std::optional<bool> beyond_walk = beats_random_walk(sure, gain_over_prior(outcomes), walk);
    return object{{"method", "circular block bootstrap"},
                  {"level", sure.level},
                  {"block_rows", sure.block_rows},
                  {"resamples", sure.resamples},
                  {"test_accuracy", {figure(sure.accuracy.low), figure(sure.accuracy.high)}},
                  {"gain_over_prior", {figure(sure.gain.low), figure(sure.gain.high)}},
                  {"beats_prior", std::isfinite(sure.gain.low) ? value(sure.beats_prior()) : value(nullptr)},
                  {"beats_random_walk", beyond_walk ? value(*beyond_walk) : value(nullptr)},
                  {"verdict", verdict(outcomes, sure, always, beyond_walk)}};
}

object to_json(const TestedWindow& window) {
    return {{"from", format_time(window.from)},
            {"to", format_time(window.to)},
            {"horizon", window.horizon},
            {"rows", numbers(window.outcomes.rows)},
            {"right", numbers(window.outcomes.right)},
            {"always", numbers(window.outcomes.always)}};
}

Result<TestedWindow> read_tested_window(const value& told) {
    const auto refuse = [] {
        return fail(Errc::protocol, "a result's outcomes of the test rows are in no known form");
    };
    if (told.is_null()) {
        return fail(
            Errc::protocol,
            "a result has no outcomes of its test rows: the host that trained it does not know test_from, and may "
            "have tested on other bars; train here, or on a host of this version");
    }
    if (!told.is_object()) {
        return refuse();
    }
    const object& one = told.get_object();
    TestedWindow window;
    window.outcomes = {counts_in(one, "rows"), counts_in(one, "right"), counts_in(one, "always")};
    const auto from = parse_time("from", text_or_empty(one, "from"));
    const auto to = parse_time("to", text_or_empty(one, "to"));
    const value* const horizon = one.if_contains("horizon");
    const auto bars = horizon == nullptr ? std::nullopt : count_of(*horizon);
    if (!from || !to || !bars || !are_outcomes(window.outcomes)) {
        return refuse();
    }
    window.from = *from;
    window.to = *to;
    window.horizon = static_cast<std::size_t>(*bars);
    return window;
}

Result<object> pooled_judgement(const array& told) {
    const auto windows = windows_of(told, "test");
    if (!windows) {
        return windows.error();
    }
    if (auto apart = check_apart(*windows); !apart) {
        return apart.error();
    }
    const TestedWindow whole = put_together(*windows);
    auto judged =
        judgement(whole.outcomes, whole.horizon, "saying what was most frequent before each test", pooled_walk(told));
    if (!judged) {
        return judged.error();
    }
    return object{{"rows", sum_of(whole.outcomes.rows)},
                  {"test_accuracy", figure(share_of_rows(whole.outcomes.right, whole.outcomes))},
                  {"class_prior", figure(share_of_rows(whole.outcomes.always, whole.outcomes))},
                  {"confidence", std::move(*judged)}};
}

}  // namespace ktrdr
