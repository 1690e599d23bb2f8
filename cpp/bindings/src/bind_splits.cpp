// Room features: labels of bars and splits in time; columns come and go as bytes, eight or one a row.

#include <pybind11/stl.h>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <tuple>

#include <ktrdr/features/folds.hpp>
#include <ktrdr/features/labels.hpp>
#include <ktrdr/market/bars_view.hpp>

#include "bind_splits.hpp"
#include "convert.hpp"
#include "gil.hpp"

namespace ktrdr::bindings {
namespace {

using Nanos = std::int64_t;
using SplitFacts = std::tuple<py::bytes, py::bytes, py::bytes, std::size_t>;
using FoldFacts = std::tuple<py::bytes, py::bytes, std::size_t>;

template <class T>
py::bytes column_bytes(const std::vector<T>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

/// Numpy's NaT where there is no time.
py::bytes times_or_nat(const std::vector<UtcTime>& times) {
    std::vector<Nanos> nanos;
    nanos.reserve(times.size());
    for (const UtcTime time : times) {
        nanos.push_back(time == UtcTime::max() ? std::numeric_limits<Nanos>::min() : time.time_since_epoch().count());
    }
    return column_bytes(nanos);
}

/// Rows of a split as they are handed in, copied: the caller's arrays may change while the lock is free.
struct GivenRows {
    std::vector<UtcTime> starts{};
    std::vector<UtcTime> ends{};
    [[nodiscard]] RowTimes times() const { return {starts, ends}; }
};

std::vector<UtcTime> times_of(const std::string& name, const py::buffer& column, Nanos later) {
    const py::buffer_info info = column.request();
    if (info.ndim != 1 || info.itemsize != sizeof(Nanos) || (info.size > 1 && info.strides[0] != info.itemsize)) {
        throw ErrorException(fail(Errc::invalid_argument,
                                  name + " must be one contiguous row of times in nanoseconds, 8 bytes each",
                                  {{"field", name}}));
    }
    const auto* const first = static_cast<const Nanos*>(info.ptr);
    std::vector<UtcTime> times;
    times.reserve(static_cast<std::size_t>(info.size));
    for (const auto* stamp = first; times.size() < static_cast<std::size_t>(info.size); ++stamp) {
        if (*stamp == std::numeric_limits<Nanos>::min()) {
            throw ErrorException(fail(Errc::invalid_argument,
                                      name + "[" + std::to_string(times.size()) +
                                          "] is not a time: leave out rows whose label is not decided",
                                      {{"field", name}}));
        }
        const Nanos most = std::numeric_limits<Nanos>::max() - later;
        times.emplace_back(
            std::chrono::nanoseconds{*stamp > most ? std::numeric_limits<Nanos>::max() : *stamp + later});
    }
    return times;
}

GivenRows given_rows(const py::buffer& starts, const py::buffer& ends, Nanos embargo) {
    if (embargo < 0) {
        throw ErrorException(fail(Errc::invalid_argument,
                                  "embargo lies before 0; give how long after the end of a label nothing trains",
                                  {{"field", "embargo"}}));
    }
    GivenRows rows{times_of("starts", starts, 0), times_of("ends", ends, embargo)};
    if (rows.starts.size() != rows.ends.size()) {
        throw ErrorException(fail(Errc::invalid_argument,
                                  std::to_string(rows.starts.size()) + " starts and " +
                                      std::to_string(rows.ends.size()) + " ends: each row has one of both",
                                  {{"field", "ends"}}));
    }
    for (std::size_t row = 0; row < rows.starts.size(); ++row) {
        if (rows.ends[row] < rows.starts[row]) {
            throw ErrorException(fail(Errc::invalid_argument,
                                      "ends[" + std::to_string(row) +
                                          "] lies before its start: a label is known no "
                                          "sooner than its bar starts",
                                      {{"field", "ends"}}));
        }
    }
    return rows;
}

FoldFacts facts_of(const Fold& fold) {
    return {column_bytes(fold.train), column_bytes(fold.test), fold.purged};
}

SplitFacts split(const py::buffer& starts, const py::buffer& ends, Nanos embargo, double train, double validation,
                 double test) {
    const SplitShares shares{train, validation, test};
    unwrap(check_shares(shares));
    const GivenRows rows = given_rows(starts, ends, embargo);
    SplitRows parts;
    {
        const GilReleased released;
        parts = split_in_time(rows.times(), shares);
    }
    return {column_bytes(parts.train), column_bytes(parts.validation), column_bytes(parts.test), parts.purged};
}

FoldFacts walk_forward(const py::buffer& starts, const py::buffer& ends, Nanos embargo, std::size_t splits,
                       std::optional<std::size_t> test_rows, std::optional<std::size_t> train_rows, std::size_t index) {
    const GivenRows rows = given_rows(starts, ends, embargo);
    auto fold = [&] {
        const GilReleased released;
        return walk_forward_fold(rows.times(), {splits, test_rows, train_rows}, index);
    }();
    return facts_of(unwrap(std::move(fold)));
}

FoldFacts purged(const py::buffer& starts, const py::buffer& ends, Nanos embargo, std::size_t splits,
                 std::size_t index) {
    const GivenRows rows = given_rows(starts, ends, embargo);
    auto fold = [&] {
        const GilReleased released;
        return purged_fold(rows.times(), splits, index);
    }();
    return facts_of(unwrap(std::move(fold)));
}

LabelSource source_of(const std::string& name) {
    const auto found = std::ranges::find(label_source_names, name);
    if (found == label_source_names.end()) {
        throw ErrorException(
            fail(Errc::invalid_argument, "there are no labels of source " + name, {{"field", "source"}}));
    }
    return static_cast<LabelSource>(found - label_source_names.begin());
}

std::map<std::string_view, std::size_t> left_out(const Labels& labels) {
    std::map<std::string_view, std::size_t> counts;
    for (const DropReason reason : labels.reasons) {
        if (reason != DropReason::none) {
            ++counts[to_string(reason)];
        }
    }
    return counts;
}

std::tuple<py::bytes, py::bytes, py::bytes, std::map<std::string_view, std::size_t>> labels_of(
    const BarsView& bars, const BarGrid& grid, const std::string& source, double threshold, std::size_t lookahead,
    std::optional<double> zigzag_threshold, std::optional<double> stop_threshold) {
    LabelRule rule;
    rule.source = source_of(source);
    rule.threshold = threshold;
    rule.lookahead = lookahead;
    rule.zigzag_threshold = zigzag_threshold.value_or(rule.zigzag_threshold);
    rule.stop_threshold = stop_threshold;
    auto labels = [&]() -> Result<Labels> {
        const GilReleased released;
        const BarsPtr held = bars.own();
        if (auto checked = held->check(); !checked) {
            return checked.error();
        }
        return make_labels(*held, grid, rule, find_holes(*held, grid));
    }();
    const Labels made = unwrap(std::move(labels));
    return {column_bytes(made.classes), times_or_nat(made.ends), column_bytes(made.weights), left_out(made)};
}

}  // namespace

void bind_splits(py::module_& module) {
    static_assert(sizeof(std::size_t) == sizeof(Nanos));
    module.def("make_labels", &labels_of, py::arg("bars"), py::arg("grid"), py::arg("source"), py::arg("threshold"),
               py::arg("lookahead"), py::arg("zigzag_threshold"), py::arg("stop_threshold"),
               "Classes, ends and weights of bars as bytes, and how many are not decided by reason.");
    module.def("split_in_time", &split, py::arg("starts"), py::arg("ends"), py::arg("embargo"), py::arg("train"),
               py::arg("validation"), py::arg("test"),
               "Rows that train, validate and test as bytes, and how many are purged.");
    module.def("walk_forward_fold", &walk_forward, py::arg("starts"), py::arg("ends"), py::arg("embargo"),
               py::arg("splits"), py::arg("test_rows"), py::arg("train_rows"), py::arg("index"),
               "Rows that train and test as bytes, and how many are purged.");
    module.def("purged_fold", &purged, py::arg("starts"), py::arg("ends"), py::arg("embargo"), py::arg("splits"),
               py::arg("index"), "Rows that train and test as bytes, and how many are purged.");
}

}  // namespace ktrdr::bindings
