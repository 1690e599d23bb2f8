#include "reconnects.hpp"

#include <algorithm>
#include <cmath>

#include <ktrdr/http/retry.hpp>

namespace ktrdr {
namespace {

/// So that it can be added to a time.
constexpr Reconnects::Time most_patience = std::chrono::hours{24 * 365 * 10};
/// Beyond it the pause is at its longest whatever it began with.
constexpr int most_doublings = 10;

/// What a service that is started anew looks like, or a proxy before it.
bool may_come_back(const Error& error) {
    const auto* const status = error.context.if_contains("status");
    switch (error.code) {
        case Errc::service_connection:
        case Errc::service_timeout:
        // A certificate that was refused once will be refused again.
        case Errc::protocol: return !error.context.contains("tls") && !error.context.contains("answered");
        case Errc::pool_timeout: return error.context.contains("last_dial_error");
        case Errc::status:
            return status != nullptr && status->is_int64() && is_passing(static_cast<int>(status->get_int64()));
        default: return false;
    }
}

}  // namespace

Reconnects::Reconnects(Time patience) noexcept : patience_(std::clamp(patience, Time{0}, most_patience)) {}

bool Reconnects::goes_on(const Error& error, SteadyTime now) noexcept {
    if (!was_there_ || !may_come_back(error)) {
        return false;
    }
    if (!away_since_) {
        away_since_ = now;
    }
    return now - *away_since_ < patience_;
}

Reconnects::Time Reconnects::pause(std::optional<Time> asked, double chance) noexcept {
    constexpr double least_spread = 0.25;
    const Time least = std::max(asked.value_or(usual), shortest);
    const double grown = std::ldexp(static_cast<double>(least.count()), std::min(fruitless_, most_doublings));
    const double beyond = std::min(grown, static_cast<double>(longest.count())) - static_cast<double>(least.count());
    fruitless_ = std::min(fruitless_ + 1, most_doublings);
    return least + Time{std::llround(chance * std::max(beyond, least_spread * static_cast<double>(least.count())))};
}

}  // namespace ktrdr
