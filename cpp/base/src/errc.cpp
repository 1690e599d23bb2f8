#include <ktrdr/base/errc.hpp>

namespace ktrdr {

std::string_view to_string(Errc code) noexcept {
    switch (code) {
        case Errc::invalid_argument: return "invalid_argument";
        case Errc::not_found: return "not_found";
        case Errc::conflict: return "conflict";
        case Errc::configuration: return "configuration";
        case Errc::not_available: return "not_available";
        case Errc::cancelled: return "cancelled";
        case Errc::timed_out: return "timed_out";
        case Errc::operation_failed: return "operation_failed";
        case Errc::shut_down: return "shut_down";
        case Errc::out_of_resources: return "out_of_resources";
        case Errc::storage: return "storage";
        case Errc::storage_full: return "storage_full";
        case Errc::storage_schema: return "storage_schema";
        case Errc::host_service: return "host_service";
        case Errc::service_connection: return "service_connection";
        case Errc::service_timeout: return "service_timeout";
        case Errc::pool_timeout: return "pool_timeout";
        case Errc::pool_saturated: return "pool_saturated";
        case Errc::protocol: return "protocol";
        case Errc::response_too_large: return "response_too_large";
        case Errc::status: return "status";
        case Errc::client_closed: return "client_closed";
        case Errc::symbol_unknown: return "symbol_unknown";
        case Errc::no_data: return "no_data";
        case Errc::not_enough_data: return "not_enough_data";
        case Errc::strategy: return "strategy";
        case Errc::training: return "training";
        case Errc::internal: return "internal";
    }
    return "internal";
}

std::optional<Errc> errc_from(std::string_view text) noexcept {
    for (int code = 0; code <= static_cast<int>(Errc::internal); ++code) {
        if (to_string(static_cast<Errc>(code)) == text) {
            return static_cast<Errc>(code);
        }
    }
    return std::nullopt;
}

bool is_stop(Errc code) noexcept {
    return code == Errc::cancelled || code == Errc::timed_out;
}

bool is_retryable(Errc code) noexcept {
    switch (code) {
        case Errc::storage:
        case Errc::storage_full:
        case Errc::service_connection:
        case Errc::service_timeout:
        case Errc::pool_timeout:
        case Errc::pool_saturated: return true;
        default: return false;
    }
}

}  // namespace ktrdr
