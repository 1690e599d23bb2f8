#include <ktrdr/quality/quality_report.hpp>

#include <algorithm>
#include <cmath>

namespace ktrdr {
namespace {

constexpr std::array<std::string_view, quality_rule_count> rule_names{
    "order",   "duplicate",  "not_finite", "ohlc",  "price",        "volume", "out_of_session", "off_grid",
    "missing", "equal_bars", "jump",       "stale", "disagreement", "clock",  "revision",       "basis"};

}  // namespace

std::string_view to_string(QualityRule rule) noexcept {
    return rule_names[static_cast<std::size_t>(rule)];
}

std::string_view to_string(Severity severity) noexcept {
    return severity == Severity::note ? "note" : severity == Severity::warning ? "warning" : "error";
}

bool operator==(const Finding& one, const Finding& other) {
    const auto facts = [](const Finding& finding) {
        return std::tie(finding.rule, finding.severity, finding.index, finding.rows, finding.time, finding.column,
                        finding.evidence);
    };
    const bool same_value = one.value == other.value || (std::isnan(one.value) && std::isnan(other.value));
    return facts(one) == facts(other) && same_value;
}

std::size_t QualityReport::count(QualityRule rule) const noexcept {
    const auto listed = std::count_if(findings.begin(), findings.end(),
                                      [rule](const Finding& finding) { return finding.rule == rule; });
    return static_cast<std::size_t>(listed) + left_out[static_cast<std::size_t>(rule)];
}

std::optional<Severity> QualityReport::worst() const noexcept {
    std::optional<Severity> worst;
    for (const Finding& finding : findings) {
        worst = worst ? std::max(*worst, finding.severity) : finding.severity;
    }
    return worst;
}

}  // namespace ktrdr
