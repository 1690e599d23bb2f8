#include "load_quality.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include <ktrdr/data/planner.hpp>
#include <ktrdr/data/series_check.hpp>
#include <ktrdr/market/time_text.hpp>
#include <ktrdr/quality/check_quality.hpp>
#include <ktrdr/quality/repair.hpp>

namespace ktrdr {
namespace {

/// What is asked for does not begin with the first bar, or end with the last, where it is said to.
TimeRange range_to_check(const LoadedSeries& series) {
    const TimeRange there = range_of_bars(*series.bars, series.grid);
    TimeRange range = series.range;
    range.start = range.start == UtcTime::min() ? there.start : range.start;
    range.end = range.end == UtcTime::max() ? there.end : range.end;
    range.end = std::min(range.end, series.grid.closed_end(series.now));
    return range.empty() ? there : range;
}

Result<QualityReport> check(const LoadedSeries& series, const Bars& bars, LoadChecks checks, const QualityPoll& alive) {
    QualityOptions options;
    options.evidence = evidence_of(series.facts.ledger);
    options.range = range_to_check(series);
    options.poll = alive;
    if (checks.strict || checks.repair) {
        // Not one may be left out: behind ten thousand notes there may be an error.
        options.most_of_a_rule = std::max(options.most_of_a_rule, bars.size());
    }
    return check_quality(bars, series.grid, options);
}

/// How many findings a rule has, and the first of the gravest.
struct RuleFound {
    std::size_t count{0};
    const Finding* first{nullptr};
};

std::array<RuleFound, quality_rule_count> by_rule(const QualityReport& report, Severity least) {
    std::array<RuleFound, quality_rule_count> found{};
    for (const Finding& finding : report.findings) {
        if (finding.severity < least) {
            continue;
        }
        RuleFound& rule = found.at(static_cast<std::size_t>(finding.rule));
        ++rule.count;
        if (rule.first == nullptr || finding.severity > rule.first->severity) {
            rule.first = &finding;
        }
    }
    return found;
}

std::vector<std::string> summed_up(const QualityReport& report, Severity least) {
    std::vector<std::string> texts;
    for (const RuleFound& rule : by_rule(report, least)) {
        if (rule.first != nullptr) {
            texts.push_back(fmt::format("{} {} ({}{}: {})", rule.count, to_string(rule.first->rule),
                                        rule.count > 1 ? "the first at " : "", format_short(rule.first->time),
                                        rule.first->evidence));
        }
    }
    return texts;
}

std::string repairs_of(const Repair& done) {
    const RepairChange& first = done.changes.front();
    return fmt::format("{} {} repaired in what is handed out, and stored as before (the first in row {}: {})",
                       done.changes.size(), done.changes.size() == 1 ? "value was" : "values were", first.index,
                       first.why);
}

/// What is not there and should be: bars of the calendar; without one what nobody has got an answer of.
std::vector<std::string> missing_of(const LoadedSeries& series, const QualityReport& report) {
    std::vector<std::string> missing;
    if (series.bars->empty()) {
        return {"all of it: nothing is stored"};
    }
    if (series.grid.calendar()) {
        for (const Finding& finding : report.findings) {
            if (finding.rule == QualityRule::missing && finding.severity != Severity::note) {
                missing.push_back(fmt::format("{}: {}", format_short(finding.time), finding.evidence));
            }
        }
        return missing;
    }
    SeriesFacts answered = series.facts;
    for (LedgerEntry& entry : answered.ledger) {
        // Nights and weekends are so without a calendar: nobody knows whether anything should be there.
        entry.outcome = did_not_come(entry.outcome) ? AskOutcome::empty : entry.outcome;
    }
    for (const TimeRange& range : missing_ranges(range_to_check(series), answered, series.grid, series.now)) {
        missing.push_back(fmt::format("{} to {}", format_short(range.start), format_short(range.end)));
    }
    return missing;
}

Result<void> check_strictly(const LoadedSeries& series, const QualityReport& report) {
    const std::vector<std::string> wrong = summed_up(report, Severity::error);
    const std::vector<std::string> missing = missing_of(series, report);
    if (wrong.empty() && missing.empty()) {
        return {};
    }
    const auto some = [](std::vector<std::string> texts) {
        constexpr std::size_t most_named = 5;
        const bool more = texts.size() > most_named;
        texts.resize(std::min(texts.size(), most_named));
        return fmt::format("{}{}", fmt::join(texts, "; "), more ? "; …" : "");
    };
    std::vector<std::string> parts;
    if (!wrong.empty()) {
        parts.push_back("wrong is: " + some(wrong));
    }
    if (!missing.empty()) {
        parts.push_back("missing is: " + some(missing));
    }
    return fail(Errc::not_enough_data,
                fmt::format("a strict load takes only bars that are sound and whole: {}. What came is stored; load "
                            "without strict=True to look at it",
                            fmt::join(parts, ". ")),
                {{"wrong", wrong.size()}, {"missing", missing.size()}});
}

}  // namespace

Result<CheckedBars> check_loaded(const LoadedSeries& series, LoadChecks checks, const CancellationToken& token) {
    CheckedBars checked{series.bars, {}};
    if (series.bars->empty() && !checks.strict) {
        return checked;
    }
    const QualityPoll alive = [&token] { return token.check("checking what was loaded"); };
    if (const auto goes_on = alive(); !goes_on) {
        return goes_on.error();
    }
    auto report = check(series, *checked.bars, checks, alive);
    if (report && checks.repair && !report->findings.empty()) {
        auto done = repair(*checked.bars, *report, alive);
        if (!done) {
            return done.error();
        }
        if (!done->changes.empty()) {
            checked.warnings.push_back(repairs_of(*done));
            checked.bars = std::make_shared<const Bars>(std::move(done->bars));
            report = check(series, *checked.bars, checks, alive);
        }
    }
    if (!report) {
        return report.error();
    }
    if (checks.strict) {
        if (const auto sound = check_strictly(series, *report); !sound) {
            return sound.error();
        }
    }
    if (series.missing_is_told) {
        std::erase_if(report->findings, [](const Finding& one) { return one.rule == QualityRule::missing; });
    }
    if (const auto found = summed_up(*report, Severity::warning); checks.validate && !found.empty()) {
        checked.warnings.push_back(fmt::format("look at: {}. check_quality names each", fmt::join(found, "; ")));
    }
    return checked;
}

}  // namespace ktrdr
