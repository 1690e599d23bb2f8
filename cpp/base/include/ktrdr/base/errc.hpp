#pragma once

#include <optional>
#include <string_view>

#include <ktrdr/base/export.hpp>

namespace ktrdr {

/// What went wrong, in the few words a caller can act on. Each value is one Python exception class.
enum class Errc {
    /// An argument is outside its range or of no known name; nothing was done.
    invalid_argument,
    /// The thing named does not exist.
    not_found,
    /// The same id was used for another request, or the object is in another state.
    conflict,
    /// A setting is missing or cannot be read; the message names the argument and the variable.
    configuration,
    /// Asked for something that this build or installation does not have.
    not_available,
    /// The operation was cancelled by its caller, its parent or a shutdown.
    cancelled,
    /// The operation ran past its own timeout.
    timed_out,
    /// The work of an operation raised something of its own.
    operation_failed,
    /// The runtime is shutting down or was forked; nothing new starts.
    shut_down,
    /// The machine had no memory, thread or descriptor left for it.
    out_of_resources,
    /// The store could not read or write; what was stored before is still there.
    storage,
    /// The store has no room left.
    storage_full,
    /// The store was made by a newer version or is not ours.
    storage_schema,
    /// A host service did not do what was asked, and said why.
    host_service,
    /// No connection to the host service: resolve, refused, reset.
    service_connection,
    /// The host service did not answer within a phase's limit.
    service_timeout,
    /// No pooled connection became free in time.
    pool_timeout,
    /// The pool's queue is full.
    pool_saturated,
    /// The host service's answer breaks HTTP or JSON.
    protocol,
    /// The answer is larger than the limit.
    response_too_large,
    /// The host service answered with an HTTP error status.
    status,
    /// The client was closed before or during the call.
    client_closed,
    /// The provider does not know the symbol.
    symbol_unknown,
    /// Not one bar of what was asked for is to be had.
    no_data,
    /// Fewer bars than the work needs.
    not_enough_data,
    /// The strategy cannot be used as it is.
    strategy,
    /// A training could not go on, for example the loss became NaN.
    training,
    /// A defect of ours.
    internal,
};

/// The value's own spelling, for logs and error records.
[[nodiscard]] KTRDR_EXPORT std::string_view to_string(Errc code) noexcept;
/// The value of that spelling, or nothing.
[[nodiscard]] KTRDR_EXPORT std::optional<Errc> errc_from(std::string_view text) noexcept;
/// True for the end of work that was stopped, by its caller or its own timeout: nothing has gone wrong.
[[nodiscard]] KTRDR_EXPORT bool is_stop(Errc code) noexcept;
/// True where the same request may succeed when it is made again: a service that did not answer, a store that was
/// locked or full.
[[nodiscard]] KTRDR_EXPORT bool is_retryable(Errc code) noexcept;

}  // namespace ktrdr
