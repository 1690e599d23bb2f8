#pragma once

#include <array>
#include <span>
#include <string_view>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>

namespace ktrdr {

/// How much a value belongs to a set, 0..1.
///
/// triangular [a<=b<=c] rises from a to b and falls to c; trapezoidal [a<=b<=c<=d] is 1 from b to c; gaussian
/// [mean, sigma>0] is exp(-(x-mean)²/2sigma²). Where two corners meet (a==b, c==d) the set is 1 at that shoulder.
class KTRDR_EXPORT FuzzySet final {
public:
    /// `invalid_argument` naming the rule that `parameters` break.
    [[nodiscard]] static Result<FuzzySet> make(std::string_view type, std::span<const double> parameters);
    /// The types there are.
    [[nodiscard]] static std::span<const std::string_view> types() noexcept;

    /// NaN stays NaN.
    [[nodiscard]] double membership(double value) const noexcept;
    /// The same of each of `values`, as the numbers that a model takes; `results` is as long.
    void memberships(std::span<const double> values, std::span<float> results) const noexcept;

private:
    FuzzySet() = default;
    // A triangle is a trapezoid whose flat top has no length.
    std::array<double, 4> corners_{};
    bool gaussian_{false};
};

}  // namespace ktrdr
