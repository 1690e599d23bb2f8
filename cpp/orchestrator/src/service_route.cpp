#include <ktrdr/orchestrator/service_route.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace ktrdr {
namespace {

bool is_prefix(const std::string& text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char letter) {
        return (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9') || letter == '_';
    });
}

bool is_http(const std::string& url) {
    return url.starts_with("http://") || url.starts_with("https://");
}

Result<void> check(const ServiceNames& names) {
    if (!is_prefix(names.env_var_prefix)) {
        return fail(Errc::configuration,
                    fmt::format("the environment prefix of the {} service is {:?}: use upper-case letters, digits and "
                                "underscores, for example IB for USE_IB_HOST_SERVICE",
                                names.service, names.env_var_prefix),
                    {{"service", names.service}, {"prefix", names.env_var_prefix}});
    }
    return {};
}

Result<void> check_arguments(const ServiceNames& names, std::optional<bool> use,
                             const std::optional<std::string>& url) {
    if (!url || (!url->empty() && use != false)) {
        return {};
    }
    return fail(Errc::invalid_argument,
                url->empty()
                    ? fmt::format("the URL of the {} host service is empty: give one, or leave it out", names.service)
                    : fmt::format("a URL of the {} host service ({}) and \"do not use it\" were given together: leave "
                                  "one of them out",
                                  names.service, *url),
                {{"service", names.service}, {"url", *url}});
}

}  // namespace

Result<ServiceRoute> resolve_route(const ServiceNames& names, const Env& env, std::optional<bool> use_host_service,
                                   const std::optional<std::string>& host_service_url) {
    if (const auto checked = check(names); !checked) {
        return checked.error();
    }
    if (const auto checked = check_arguments(names, use_host_service, host_service_url); !checked) {
        return checked.error();
    }
    const std::string variable = fmt::format("{}_HOST_SERVICE_URL", names.env_var_prefix);
    const auto url_of_env = env.get(variable);
    bool use = use_host_service.value_or(host_service_url.has_value());
    if (!use_host_service && !host_service_url) {
        const auto from_env = env.get_bool(fmt::format("USE_{}_HOST_SERVICE", names.env_var_prefix));
        if (!from_env) {
            return from_env.error();
        }
        // Who names an address wants it used; who says no keeps the address for another day.
        use = from_env->value_or(url_of_env.has_value());
    }
    if (!use) {
        return ServiceRoute{};
    }
    std::string url = host_service_url ? *host_service_url : url_of_env.value_or(names.default_host_url);
    if (!is_http(url)) {
        return fail(Errc::configuration,
                    url.empty() ? fmt::format("the {} host service is to be used, but no URL is set: pass one as an "
                                              "argument or set {}",
                                              names.service, variable)
                                : fmt::format("the URL of the {} host service is {:?}: it must begin with http:// or "
                                              "https://; pass one as an argument or set {}",
                                              names.service, url, variable),
                    {{"service", names.service}, {"variable", variable}, {"url", url}});
    }
    return ServiceRoute{true, std::move(url)};
}

}  // namespace ktrdr
