#pragma once

#include <array>
#include <functional>
#include <vector>

#include <ktrdr/quality/quality_report.hpp>

namespace ktrdr {

/// Findings as they come; rows that follow each other and have one fault become one.
class FindingList final {
public:
    FindingList(const Bars& bars, std::size_t most_of_a_rule) : bars_(bars), most_(most_of_a_rule) {}

    /// A fault of one row. The text is made only where it begins a finding.
    template <class Text>
    void mark(QualityRule rule, Severity severity, std::size_t row, std::optional<BarColumn> column, double value,
              const Text& text) {
        Finding* const before = last_of(rule, column);
        if (before != nullptr && before->severity == severity && before->index + before->rows == row) {
            ++before->rows;
            return;
        }
        Finding finding{rule, severity, row, 1, bars_.start_of(row), column, value, {}};
        if (has_room(rule)) {
            finding.evidence = text();
            add(std::move(finding));
        }
    }
    /// One that stands as it is.
    template <class Text>
    void add(Finding finding, const Text& text) {
        if (has_room(finding.rule)) {
            finding.evidence = text();
            add(std::move(finding));
        }
    }
    /// By rule and row, into a report.
    void move_to(QualityReport& report);

private:
    [[nodiscard]] bool has_room(QualityRule rule);
    [[nodiscard]] Finding* last_of(QualityRule rule, std::optional<BarColumn> column);
    void add(Finding finding);

    const Bars& bars_;
    const std::size_t most_;
    std::array<std::vector<Finding>, quality_rule_count> found_{};
    /// By rule and column, the last being the whole row, where in `found_` the newest is; one more than that, 0 for
    /// none.
    std::array<std::array<std::size_t, bar_column_count + 1>, quality_rule_count> newest_{};
    std::array<std::size_t, quality_rule_count> left_out_{};
};

}  // namespace ktrdr
