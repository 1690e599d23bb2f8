#pragma once

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include <ktrdr/adapter/async_service_adapter.hpp>
#include <ktrdr/adapter/host_service_config.hpp>
#include <ktrdr/base/env.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/orchestrator/service_route.hpp>

namespace ktrdr {

/// A host service as its domain knows it.
struct HostService {
    /// For the environment's variables and for a person.
    ServiceNames names{};
    ServiceIdentity identity{};
    /// What holds where neither caller nor environment says anything.
    HostServiceConfig defaults{};
};

/// What a caller says of a host service; of what is unset the environment decides.
struct HostServiceArguments {
    std::optional<bool> use_host_service{};
    std::optional<std::string> url{};
    std::optional<std::size_t> max_connections{};
};

/// What a host service's calls run on. All of it must outlive them.
struct HostServiceMeans {
    /// Its sockets live here; `threads.io` runs it.
    boost::asio::io_context& io;
    ServiceThreads threads;
};

/// An adapter with a pool of its own, which dials at the first call.
///
/// Errors: `configuration` for a config that cannot be, and one without a base URL.
/// Lifetime: shared by who calls the service; whoever lets go last, on any thread, its sockets end on the io thread.
[[nodiscard]] KTRDR_EXPORT Result<std::shared_ptr<AsyncServiceAdapter>> make_service_adapter(
    const HostServiceMeans& means, ServiceIdentity identity, const HostServiceConfig& config);

/// The adapter of a domain's host service, null where the work is done on this machine: argument before environment
/// before default.
///
/// Errors: those of `resolve_route`, `read_host_service_config` and `make_service_adapter`.
[[nodiscard]] KTRDR_EXPORT Result<std::shared_ptr<AsyncServiceAdapter>> open_host_service(
    const HostServiceMeans& means, HostService service, const Env& env, const HostServiceArguments& arguments);

}  // namespace ktrdr
