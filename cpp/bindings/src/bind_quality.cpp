// Room quality: gaps, findings, clocks and repairs; times are nanoseconds since 1970.

#include <pybind11/stl.h>

#include <algorithm>
#include <array>

#include <ktrdr/cancellation/token.hpp>
#include <ktrdr/market/bars_view.hpp>
#include <ktrdr/quality/check_quality.hpp>
#include <ktrdr/quality/clock.hpp>
#include <ktrdr/quality/repair.hpp>

#include "bind.hpp"
#include "convert.hpp"
#include "evidence.hpp"
#include "gil.hpp"
#include "request.hpp"

namespace ktrdr::bindings {
namespace {

using Nanos = std::int64_t;
using Range = std::pair<Nanos, Nanos>;
/// Conversions and hours.
using Change = std::pair<int, int>;

UtcTime moment(Nanos nanos) {
    return UtcTime{std::chrono::nanoseconds{nanos}};
}

Nanos since_epoch(UtcTime time) {
    return time.time_since_epoch().count();
}

Range pair_of(TimeRange range) {
    return {since_epoch(range.start), since_epoch(range.end)};
}

TimeRange range_of(Range range) {
    return {moment(range.first), moment(range.second)};
}

/// Start, end, class, absent bars, the row behind it, label, evidence.
using GapFacts = std::tuple<Nanos, Nanos, std::string_view, std::size_t, std::size_t, std::string_view, std::string>;

std::vector<GapFacts> gaps_of(const GapReport& report) {
    std::vector<GapFacts> gaps;
    gaps.reserve(report.gaps.size());
    for (const Gap& gap : report.gaps) {
        gaps.emplace_back(since_epoch(gap.range.start), since_epoch(gap.range.end), to_string(gap.kind), gap.bars,
                          gap.index, to_string(gap.label), gap.evidence);
    }
    return gaps;
}

/// Rule, severity, row, how many rows, stamp, column, value, evidence.
using FindingFacts = std::tuple<std::string_view, std::string_view, std::size_t, std::size_t, Nanos,
                                std::optional<std::string_view>, double, std::string>;

std::vector<FindingFacts> findings_of(const QualityReport& report) {
    std::vector<FindingFacts> findings;
    findings.reserve(report.findings.size());
    for (const Finding& finding : report.findings) {
        const auto column = finding.column ? std::optional(to_string(*finding.column)) : std::nullopt;
        findings.emplace_back(to_string(finding.rule), to_string(finding.severity), finding.index, finding.rows,
                              since_epoch(finding.time), column, finding.value, finding.evidence);
    }
    return findings;
}

std::map<std::string_view, std::size_t> left_out_of(const QualityReport& report) {
    std::map<std::string_view, std::size_t> left_out;
    for (std::size_t rule = 0; rule < quality_rule_count; ++rule) {
        if (report.left_out[rule] > 0) {
            left_out.emplace(to_string(static_cast<QualityRule>(rule)), report.left_out[rule]);
        }
    }
    return left_out;
}

std::vector<std::string_view> rule_names() {
    std::vector<std::string_view> names;
    for (std::size_t rule = 0; rule < quality_rule_count; ++rule) {
        names.push_back(to_string(static_cast<QualityRule>(rule)));
    }
    return names;
}

std::vector<std::string_view> gap_class_names() {
    std::vector<std::string_view> names;
    for (std::size_t kind = 0; kind < gap_class_count; ++kind) {
        names.push_back(to_string(static_cast<GapClass>(kind)));
    }
    return names;
}

/// The first so many of an enumeration's values that is called this.
template <class Value>
Value quality_value_of(std::string_view name, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        if (to_string(static_cast<Value>(i)) == name) {
            return static_cast<Value>(i);
        }
    }
    throw py::value_error("the state of a report names " + std::string(name.substr(0, 32)) + ", which is not known");
}

/// What a report of gaps is pickled as: its range, the part of it that is known, how many bars should and do exist, the
/// gaps.
using GapState = std::tuple<Range, Range, std::size_t, std::size_t, std::vector<GapFacts>>;

GapState state_of_gaps(const GapReport& report) {
    return {pair_of(report.range), pair_of(report.known), report.expected, report.present, gaps_of(report)};
}

/// Names in the state are looked at, not copied: it must be there still.
GapReport gaps_from(const GapState& state) {
    const auto& [range, known, expected, present, gaps] = state;
    GapReport report{range_of(range), range_of(known), expected, present, {}};
    for (const auto& [start, end, kind, bars, index, label, evidence] : gaps) {
        report.gaps.push_back({range_of({start, end}), quality_value_of<GapClass>(kind, gap_class_count), bars, index,
                               quality_value_of<GapLabel>(label, gap_label_count), evidence});
    }
    return report;
}

/// What a report of findings is pickled as: how many bars, their range, the findings, those left out, the gaps.
using FindingState =
    std::tuple<std::size_t, Range, std::vector<FindingFacts>, std::map<std::string_view, std::size_t>, GapState>;

FindingState state_of_findings(const QualityReport& report) {
    return {report.bars, pair_of(report.range), findings_of(report), left_out_of(report), state_of_gaps(report.gaps)};
}

QualityReport findings_from(const FindingState& state) {
    const auto& [bars, range, findings, left_out, gaps] = state;
    QualityReport report;
    report.bars = bars;
    report.range = range_of(range);
    report.gaps = gaps_from(gaps);
    for (const auto& [rule, severity, index, rows, time, column, value, evidence] : findings) {
        const auto about =
            column ? std::optional(quality_value_of<BarColumn>(*column, bar_column_count)) : std::nullopt;
        report.findings.push_back({quality_value_of<QualityRule>(rule, quality_rule_count),
                                   quality_value_of<Severity>(severity, severity_count), index, rows, moment(time),
                                   about, value, evidence});
    }
    for (const auto& [rule, count] : left_out) {
        report.left_out[static_cast<std::size_t>(quality_value_of<QualityRule>(rule, quality_rule_count))] = count;
    }
    return report;
}

/// Kind, row, column, before, after, number of the finding, why.
using ChangeFacts =
    std::tuple<std::string_view, std::size_t, std::string_view, double, double, std::size_t, std::string>;

std::vector<ChangeFacts> changed_cells(const Repair& done) {
    std::vector<ChangeFacts> changes;
    changes.reserve(done.changes.size());
    for (const RepairChange& change : done.changes) {
        changes.emplace_back(to_string(change.kind), change.index, to_string(change.column), change.before,
                             change.after, change.finding, change.why);
    }
    return changes;
}

Change pair_of(const ClockChange& change) {
    return {change.conversions, static_cast<int>(change.shift.count())};
}

BarsView view_of(Bars bars, const BarsView& like) {
    return BarsView(std::make_shared<const Bars>(std::move(bars)), like.symbol(), like.timeframe());
}

using Token = std::optional<CancellationToken>;

/// Asks the token, where there is one.
QualityPoll poll_of(const Token& token, const char* doing) {
    return token ? QualityPoll([token = *token, doing] { return token.check(doing); }) : QualityPoll{};
}

GapReport find(const BarsView& bars, const BarGrid& grid, std::optional<Range> range,
               const std::vector<EvidenceFacts>& evidence, bool closed, const Token& token) {
    const auto answers = evidence_from(evidence);
    const GilReleased released;
    const BarsPtr own = bars.own();
    return unwrap(find_gaps(*own, grid, range ? range_of(*range) : range_of_bars(*own, grid), answers,
                            {.closed = closed, .poll = poll_of(token, "looking for gaps")}));
}

QualityReport checked(const BarsView& bars, const BarGrid& grid, QualityOptions options, const Token& token) {
    const GilReleased released;
    options.poll = poll_of(token, "checking bars");
    return unwrap(check_quality(*bars.own(), grid, options));
}

std::pair<BarsView, Repair> mend(const BarsView& bars, const QualityReport& report, const Token& token) {
    const GilReleased released;
    Repair done = unwrap(repair(*bars.own(), report, poll_of(token, "repairing bars")));
    return {view_of(done.bars, bars), std::move(done)};
}

BarsView undo_clock_change(const BarsView& bars, const std::shared_ptr<SessionCalendar>& calendar, Change change) {
    const GilReleased released;
    return view_of(unwrap(undo_clock(*bars.own(), *calendar, {change.first, std::chrono::hours{change.second}})), bars);
}

std::tuple<double, std::optional<Change>, std::vector<std::tuple<int, int, double>>, std::string> diagnose(
    const BarsView& bars, const BarGrid& grid) {
    const GilReleased released;
    const ClockReport report = unwrap(diagnose_clock(*bars.own(), grid));
    std::vector<std::tuple<int, int, double>> scores;
    for (const ClockScore& score : report.scores) {
        scores.emplace_back(score.change.conversions, static_cast<int>(score.change.shift.count()), score.fit);
    }
    return {report.fit, report.change ? std::optional(pair_of(*report.change)) : std::nullopt, std::move(scores),
            report.evidence};
}

/// Below 0 it is 0, which the core refuses with the rule.
template <auto member>
void set_count(QualityOptions& options, const py::handle& value) {
    options.*member = static_cast<std::size_t>(std::max<std::int64_t>(0, value.cast<std::int64_t>()));
}

void bind_quality_options(py::module_& module) {
    RequestClass<QualityOptions>(module, "QualityOptions", "What a check is to look at, and from where on.")
        .field("evidence",
               [](QualityOptions& options, const py::handle& value) {
                   options.evidence = evidence_from(value.cast<std::vector<EvidenceFacts>>());
               })
        .field<&QualityOptions::revisions>("revisions")
        .field("now",
               [](QualityOptions& options, const py::handle& value) { options.now = moment(value.cast<Nanos>()); })
        .field("range",
               [](QualityOptions& options, const py::handle& value) { options.range = range_of(value.cast<Range>()); })
        .field("longer",
               [](QualityOptions& options, const py::handle& value) {
                   const auto [bars, grid] = value.cast<std::pair<BarsView, BarGrid>>();
                   options.longer = LongerBars{bars.own(), grid};
               })
        .field<&QualityOptions::negative_prices>("negative_prices")
        .field<&QualityOptions::jump>("jump")
        .field<&QualityOptions::least_jump>("least_jump")
        .field("equal_bars", &set_count<&QualityOptions::equal_bars>)
        .field("still_bars", &set_count<&QualityOptions::still_bars>)
        .field("stale_bars", &set_count<&QualityOptions::stale_bars>)
        .field("most_of_a_rule", &set_count<&QualityOptions::most_of_a_rule>)
        .done();
}

void bind_reports(py::module_& module) {
    py::class_<GapReport>(module, "GapReport", "Which bars are absent, and why.")
        .def_property_readonly("range", [](const GapReport& self) { return pair_of(self.range); })
        .def_property_readonly("known", [](const GapReport& self) { return pair_of(self.known); })
        .def_property_readonly("expected", [](const GapReport& self) { return self.expected; })
        .def_property_readonly("present", [](const GapReport& self) { return self.present; })
        .def_property_readonly("absent", [](const GapReport& self) { return self.absent(); })
        .def_property_readonly("gaps", &gaps_of)
        .def(
            "__eq__", [](const GapReport& self, const GapReport& other) { return self == other; }, py::arg("other"),
            py::is_operator())
        .def(py::pickle(&state_of_gaps, &gaps_from));
    py::class_<QualityReport>(module, "QualityReport", "What is to be said of bars.")
        .def_property_readonly("bars", [](const QualityReport& self) { return self.bars; })
        .def_property_readonly("range", [](const QualityReport& self) { return pair_of(self.range); })
        .def_property_readonly("findings", &findings_of)
        .def_property_readonly("left_out", &left_out_of)
        .def_property_readonly("gaps", [](const QualityReport& self) { return self.gaps; })
        .def(
            "__eq__", [](const QualityReport& self, const QualityReport& other) { return self == other; },
            py::arg("other"), py::is_operator())
        .def(py::pickle(&state_of_findings, &findings_from));
    py::class_<Repair>(module, "Repair", "Bars that were mended, and how.")
        .def_property_readonly("changes", &changed_cells)
        .def(
            "undone",
            [](const Repair& self, const BarsView& like) {
                const GilReleased released;
                return view_of(self.undone(), like);
            },
            py::arg("like"), "The bars as they were given, as those of the same series.");
}

}  // namespace

std::vector<Evidence> evidence_from(const std::vector<EvidenceFacts>& facts) {
    constexpr std::array kinds{EvidenceKind::bars, EvidenceKind::empty, EvidenceKind::unconfirmed, EvidenceKind::failed,
                               EvidenceKind::denied};
    std::vector<Evidence> evidence;
    for (const auto& [start, end, name, asked] : facts) {
        const auto kind =
            std::find_if(kinds.begin(), kinds.end(), [&name](EvidenceKind one) { return to_string(one) == name; });
        if (kind == kinds.end()) {
            throw ErrorException(fail(Errc::invalid_argument,
                                      "evidence of the kind " + name.substr(0, 32) +
                                          " is not known: use bars, empty, unconfirmed, failed or denied",
                                      {{"field", "evidence"}}));
        }
        evidence.push_back({{moment(start), moment(end)}, *kind, moment(asked)});
    }
    return evidence;
}

std::vector<EvidenceFacts> facts_of(const std::vector<Evidence>& evidence) {
    std::vector<EvidenceFacts> facts;
    for (const Evidence& answer : evidence) {
        facts.emplace_back(since_epoch(answer.range.start), since_epoch(answer.range.end),
                           std::string(to_string(answer.kind)), since_epoch(answer.asked_at));
    }
    return facts;
}

void bind_quality(py::module_& module) {
    py::class_<Revisions>(module, "Revisions", "Other numbers that a provider gave for stored bars.");
    bind_quality_options(module);
    bind_reports(module);
    module.def("quality_rules", &rule_names, "The names of the rules.");
    module.def("gap_classes", &gap_class_names, "The names of the classes of gaps.");
    module.def("find_gaps", &find, py::arg("bars"), py::arg("grid"), py::arg("range"), py::arg("evidence"),
               py::arg("closed"), py::arg("token"), "Which bars are absent, and why.");
    module.def("check_quality", &checked, py::arg("bars"), py::arg("grid"), py::arg("options"), py::arg("token"),
               "What is to be said of bars.");
    module.def("repair", &mend, py::arg("bars"), py::arg("report"), py::arg("token"),
               "The bars mended, and what was done.");
    module.def("diagnose_clock", &diagnose, py::arg("bars"), py::arg("grid"),
               "How well bars fit, what has happened to their clock, each change that was tried, why.");
    module.def("undo_clock", &undo_clock_change, py::arg("bars"), py::arg("calendar"), py::arg("change"),
               "Bars with the stamps before the change.");
    module.def(
        "clock_text",
        [](Change change) { return to_string(ClockChange{change.first, std::chrono::hours{change.second}}); },
        py::arg("change"), "What has happened to a clock, in words.");
}

}  // namespace ktrdr::bindings
