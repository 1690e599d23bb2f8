#pragma once

#include <cstddef>
#include <functional>
#include <string_view>
#include <utility>

#include <ktrdr/base/result.hpp>
#include <ktrdr/cancellation/token.hpp>

namespace ktrdr {

/// Asked between two pieces of work whether to go on; its error ends the work.
///
/// A token is one; a default-made one never ends anything.
class WorkCheck final {
public:
    /// Is told what comes next: "evaluating the test rows".
    using Ask = std::function<Result<void>(std::string_view what)>;

    WorkCheck() = default;
    WorkCheck(CancellationToken token)
        : ask_([token = std::move(token)](std::string_view what) { return token.check(what); }) {}
    WorkCheck(Ask ask) : ask_(std::move(ask)) {}

    [[nodiscard]] Result<void> operator()(std::string_view what) const { return ask_ ? ask_(what) : Result<void>{}; }

private:
    Ask ask_{};
};

/// Cuts one long loop into pieces.
///
/// Cost: an addition and a comparison for each unit.
class WorkPieces final {
public:
    /// As many steps of a loop are one piece; each is some ten nanoseconds up to a microsecond.
    static constexpr std::size_t piece = 4096;

    /// `what` lives as long as this.
    WorkPieces(const WorkCheck& check, std::string_view what) : check_(check), what_(what) {}

    /// Whether a piece is over, or none has begun yet: then `check` has to be asked.
    [[nodiscard]] bool is_due(std::size_t units = 1) noexcept {
        left_ = left_ > units ? left_ - units : 0;
        return left_ == 0;
    }
    [[nodiscard]] Result<void> check() {
        left_ = piece;
        return check_(what_);
    }

private:
    const WorkCheck& check_;
    std::string_view what_;
    std::size_t left_{0};
};

}  // namespace ktrdr
