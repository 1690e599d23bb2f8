#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ktrdr {

/// Throws `ErrorException` (`invalid_argument`): why a stream is not read.
[[noreturn]] void refuse_stream(std::string what);

/// A column as a stream describes it.
struct ArrowField {
    std::string name{};
    /// Its type, as Arrow's C data interface writes it; of types that no bar has only as much as a message needs.
    std::string format{};
    /// How many buffers it has in a batch.
    std::size_t buffers{0};
};

/// A column of a batch.
struct ArrowColumn {
    std::int64_t missing{0};
    std::vector<std::string_view> buffers{};
};

struct ArrowBatch {
    std::size_t rows{0};
    /// One for each field; every buffer lies inside the stream, and may be shorter than the rows need.
    std::vector<ArrowColumn> columns{};
};

/// The messages of Arrow's streaming format, one behind the other: the schema, then batches of flat columns.
///
/// Errors: every member throws `ErrorException` (`invalid_argument`) that says what came in place of such a message.
/// Lifetime: what is given lies in `bytes`.
class ArrowMessages final {
public:
    explicit ArrowMessages(std::string_view bytes) : bytes_(bytes) {}

    /// To be asked for first, and once.
    [[nodiscard]] std::vector<ArrowField> schema();
    /// The next batch; nothing at the end.
    [[nodiscard]] std::optional<ArrowBatch> next(const std::vector<ArrowField>& fields);
    /// The end that was reached is the writer's, not that of the bytes.
    [[nodiscard]] bool ended() const noexcept { return ended_; }

private:
    struct Message;
    [[nodiscard]] std::optional<Message> take();
    [[nodiscard]] std::string_view take_bytes(std::uint64_t size, std::string_view what);

    std::string_view bytes_;
    std::size_t at_{0};
    bool ended_{false};
};

}  // namespace ktrdr
