#include <ktrdr/adapter/host_service.hpp>

#include <fmt/format.h>

namespace ktrdr {

Result<std::shared_ptr<AsyncServiceAdapter>> make_service_adapter(const HostServiceMeans& means,
                                                                  ServiceIdentity identity,
                                                                  const HostServiceConfig& config) {
    if (config.base_url.empty()) {
        return fail(Errc::configuration,
                    fmt::format("{} needs a base URL: http[s]://host[:port][/prefix]", identity.name),
                    {{"field", "base_url"}});
    }
    if (const auto valid = check(config); !valid) {
        return valid.error();
    }
    auto client = HttpClient::create(means.io, to_client_options(config));
    if (!client) {
        return client.error();
    }
    // Not closed: an event stream of it goes on, and the last who uses the connections closes them.
    const auto end_on_io = [&io = means.threads.io](AsyncServiceAdapter* ended) {
        io.post([last = std::shared_ptr<AsyncServiceAdapter>(ended)]() mutable { last.reset(); });
    };
    return std::shared_ptr<AsyncServiceAdapter>(
        new AsyncServiceAdapter(std::move(identity), std::move(*client), means.threads), end_on_io);
}

Result<std::shared_ptr<AsyncServiceAdapter>> open_host_service(const HostServiceMeans& means, HostService service,
                                                               const Env& env, const HostServiceArguments& arguments) {
    auto route = resolve_route(service.names, env, arguments.use_host_service, arguments.url);
    if (!route) {
        return route.error();
    }
    if (!route->use_host_service) {
        return std::shared_ptr<AsyncServiceAdapter>();
    }
    auto config = read_host_service_config(std::move(service.defaults), service.names.env_var_prefix, env);
    if (!config) {
        return config.error();
    }
    config->base_url = std::move(route->url);
    config->max_connections = arguments.max_connections.value_or(config->max_connections);
    return make_service_adapter(means, std::move(service.identity), *config);
}

}  // namespace ktrdr
