#include <ktrdr/features/fuzzy.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include <ktrdr/features/wide_vectors.hpp>

namespace ktrdr {
namespace {

constexpr std::array<std::string_view, 3> names{"triangular", "trapezoidal", "gaussian"};

Result<void> check_count(std::string_view type, std::span<const double> parameters, std::size_t count) {
    const bool finite = std::ranges::all_of(parameters, [](double value) { return std::isfinite(value); });
    if (parameters.size() != count || !finite) {
        return fail(Errc::invalid_argument, fmt::format("a {} set takes {} finite numbers, not [{}]", type, count,
                                                        fmt::join(parameters, ", ")));
    }
    return {};
}

double on_bell(double value, double mean, double sigma) noexcept {
    const double distance = (value - mean) / sigma;
    return std::exp(-0.5 * distance * distance);
}

/// Without a branch, so that several values go through it at once; what lies outside of the set divides by whatever is
/// there. NaN is on no side of anything, and comes out again.
double on_trapezoid(double value, double a, double b, double c, double d) noexcept {
    const bool rises = value < b;
    const double share = (rises ? value - a : d - value) / (rises ? b - a : d - c);
    const double inside = value >= b && value <= c ? 1 : share;
    return value < a || value > d ? 0 : inside;
}

}  // namespace

std::span<const std::string_view> FuzzySet::types() noexcept {
    return names;
}

Result<FuzzySet> FuzzySet::make(std::string_view type, std::span<const double> parameters) {
    const auto found = std::ranges::find(names, type);
    if (found == names.end()) {
        return fail(Errc::invalid_argument,
                    fmt::format("there is no fuzzy set type '{}'; there are {}", type, fmt::join(names, ", ")));
    }
    FuzzySet set;
    set.gaussian_ = type == "gaussian";
    const std::size_t count = set.gaussian_ ? 2 : type == "triangular" ? 3 : 4;
    if (auto counted = check_count(type, parameters, count); !counted) {
        return counted.error();
    }
    std::ranges::copy(parameters, set.corners_.begin());
    if (set.gaussian_ && parameters[1] <= 0) {
        return fail(Errc::invalid_argument,
                    fmt::format("a gaussian set is [mean, sigma] with sigma above 0, not {}", parameters[1]));
    }
    if (!set.gaussian_ && !std::ranges::is_sorted(parameters)) {
        return fail(Errc::invalid_argument, fmt::format("the parameters of a {} set must not fall, but are [{}]", type,
                                                        fmt::join(parameters, ", ")));
    }
    if (type == "triangular") {
        set.corners_ = {parameters[0], parameters[1], parameters[1], parameters[2]};
    }
    return set;
}

double FuzzySet::membership(double value) const noexcept {
    const auto [a, b, c, d] = corners_;
    return gaussian_ ? on_bell(value, a, b) : on_trapezoid(value, a, b, c, d);
}

void FuzzySet::memberships(std::span<const double> values, std::span<float> results) const noexcept {
    const auto [a, b, c, d] = corners_;
    if (gaussian_) {
        for (std::size_t i = 0; i < values.size(); ++i) {
            results[i] = static_cast<float>(on_bell(values[i], a, b));
        }
        return;
    }
    in_wide_vectors([&values, &results, a = a, b = b, c = c, d = d] {
        for (std::size_t i = 0; i < values.size(); ++i) {
            results[i] = static_cast<float>(on_trapezoid(values[i], a, b, c, d));
        }
    });
}

}  // namespace ktrdr
