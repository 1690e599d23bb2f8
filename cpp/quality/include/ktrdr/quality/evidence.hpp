#pragma once

#include <string_view>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/market/bar_revision.hpp>

namespace ktrdr {

/// What asking a provider for a range proved of it.
enum class EvidenceKind {
    /// Bars came, and the range is what they cover.
    bars,
    /// There is nothing, and the provider has confirmed it.
    empty,
    /// Nothing came, and nobody has asked a second time.
    unconfirmed,
    /// The provider answered with an error.
    failed,
    /// This account may not have it.
    denied,
};

[[nodiscard]] KTRDR_EXPORT std::string_view to_string(EvidenceKind kind) noexcept;

/// One answer of a provider. Where several are about one time, the newest that is no failure counts.
struct Evidence {
    TimeRange range{};
    EvidenceKind kind{EvidenceKind::bars};
    UtcTime asked_at{};

    friend bool operator==(const Evidence&, const Evidence&) = default;
};

/// Prices from `at` on are `ratio` times what those before would be: the provider re-based its history in between.
struct Rebase {
    UtcTime at{};
    double ratio{1.0};

    friend bool operator==(const Rebase&, const Rebase&) = default;
};

/// What a provider has said of bars that were stored already.
struct Revisions {
    std::vector<BarRevision> bars{};
    std::vector<Rebase> rebased{};
};

}  // namespace ktrdr
