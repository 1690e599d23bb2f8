#include "evidence_line.hpp"

#include <algorithm>

namespace ktrdr {
namespace {

bool tells_less(const Evidence& one, const Evidence& other) {
    const auto is_failure = [](const Evidence& answer) {
        return answer.kind == EvidenceKind::failed || answer.kind == EvidenceKind::denied;
    };
    return is_failure(one) != is_failure(other) ? is_failure(one) : one.asked_at < other.asked_at;
}

}  // namespace

std::string_view to_string(EvidenceKind kind) noexcept {
    switch (kind) {
        case EvidenceKind::bars: return "bars";
        case EvidenceKind::empty: return "empty";
        case EvidenceKind::unconfirmed: return "unconfirmed";
        case EvidenceKind::failed: return "failed";
        case EvidenceKind::denied: break;
    }
    return "denied";
}

EvidenceLine::EvidenceLine(std::span<const Evidence> answers) {
    std::vector<Evidence> ranked(answers.begin(), answers.end());
    std::erase_if(ranked, [](const Evidence& answer) { return answer.range.empty(); });
    std::stable_sort(ranked.begin(), ranked.end(), tells_less);
    std::vector<UtcTime> edges;
    for (const Evidence& answer : ranked) {
        edges.push_back(answer.range.start);
        edges.push_back(answer.range.end);
    }
    std::sort(edges.begin(), edges.end());
    edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
    std::vector<const Evidence*> counts(edges.size(), nullptr);
    for (const Evidence& answer : ranked) {
        const auto first = std::lower_bound(edges.begin(), edges.end(), answer.range.start) - edges.begin();
        for (auto at = static_cast<std::size_t>(first); edges[at] < answer.range.end; ++at) {
            counts[at] = &answer;
        }
    }
    for (std::size_t at = 0; at + 1 < edges.size(); ++at) {
        if (counts[at] != nullptr) {
            pieces_.push_back({{edges[at], edges[at + 1]}, counts[at]->kind, counts[at]->asked_at});
        }
    }
}

const Evidence* EvidenceLine::at(UtcTime time) noexcept {
    while (next_ < pieces_.size() && pieces_[next_].range.end <= time) {
        ++next_;
    }
    return next_ < pieces_.size() && pieces_[next_].range.start <= time ? &pieces_[next_] : nullptr;
}

UtcTime EvidenceLine::same_until(UtcTime time) noexcept {
    if (const Evidence* const known = at(time)) {
        return known->range.end;
    }
    return next_ < pieces_.size() ? pieces_[next_].range.start : UtcTime::max();
}

}  // namespace ktrdr
