#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>

namespace ktrdr {

/// The environment as a plain map, read once by the Python side or a `main` and handed in. No room calls `getenv`.
///
/// Errors: a value that cannot be read is `configuration`, naming variable, value and what is allowed.
/// An unset or empty variable is `std::nullopt`.
class KTRDR_EXPORT Env final {
public:
    Env() = default;
    explicit Env(std::map<std::string, std::string> values) : values_(std::move(values)) {}

    [[nodiscard]] std::optional<std::string> get(const std::string& name) const;
    /// true/false, 1/0, yes/no, on/off in any case.
    [[nodiscard]] Result<std::optional<bool>> get_bool(const std::string& name) const;
    /// A decimal integer within [min, max].
    [[nodiscard]] Result<std::optional<long>> get_int(const std::string& name, long min, long max) const;
    /// A positive number of seconds, fractions allowed.
    [[nodiscard]] Result<std::optional<std::chrono::milliseconds>> get_seconds(const std::string& name) const;

private:
    std::map<std::string, std::string> values_;
};

}  // namespace ktrdr
