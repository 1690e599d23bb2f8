#include "finding_list.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <ktrdr/market/time_text.hpp>

namespace ktrdr {
namespace {

std::size_t place_of(std::optional<BarColumn> column) {
    return column ? static_cast<std::size_t>(*column) : bar_column_count;
}

/// Rules whose findings are about many rows from the start, and say so themselves.
bool counts_itself(QualityRule rule) {
    switch (rule) {
        case QualityRule::missing:
        case QualityRule::equal_bars:
        case QualityRule::stale:
        case QualityRule::disagreement:
        case QualityRule::clock: return true;
        default: return false;
    }
}

}  // namespace

bool FindingList::has_room(QualityRule rule) {
    const auto index = static_cast<std::size_t>(rule);
    if (found_[index].size() < most_) {
        return true;
    }
    ++left_out_[index];
    // What follows is no part of the last that was listed.
    newest_[index] = {};
    return false;
}

Finding* FindingList::last_of(QualityRule rule, std::optional<BarColumn> column) {
    const auto index = static_cast<std::size_t>(rule);
    const std::size_t newest = newest_[index][place_of(column)];
    return newest == 0 ? nullptr : &found_[index][newest - 1];
}

void FindingList::add(Finding finding) {
    const auto index = static_cast<std::size_t>(finding.rule);
    newest_[index][place_of(finding.column)] = found_[index].size() + 1;
    found_[index].push_back(std::move(finding));
}

void FindingList::move_to(QualityReport& report) {
    for (std::vector<Finding>& of_rule : found_) {
        std::stable_sort(of_rule.begin(), of_rule.end(),
                         [](const Finding& one, const Finding& other) { return one.index < other.index; });
        for (Finding& finding : of_rule) {
            if (finding.rows > 1 && !counts_itself(finding.rule)) {
                const std::string last = format_time(bars_.start_of(finding.index + finding.rows - 1));
                finding.evidence += finding.rows == 2
                                        ? "; so is the row after it, " + last
                                        : fmt::format("; so are {} rows after it, to {}", finding.rows - 1, last);
            }
            report.findings.push_back(std::move(finding));
        }
    }
    report.left_out = left_out_;
}

}  // namespace ktrdr
