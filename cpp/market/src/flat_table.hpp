#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <type_traits>

namespace ktrdr {

/// A table of a FlatBuffer that a stranger wrote, as the format's specification lays it out: the fields that it has are
/// found through its own list of offsets, any of which may point anywhere. Nothing outside `bytes` is ever read.
///
/// Errors: every member throws `ErrorException` (`invalid_argument`) where an offset or a length leads out of the
/// bytes. Fields are named by their number in the schema. Lifetime: what is given lies in `bytes`.
class FlatTable final {
public:
    /// The table that a buffer begins with.
    [[nodiscard]] static FlatTable root(std::string_view bytes);

    /// The field's number, or `absent` where the writer has left it out.
    template <class Number>
    [[nodiscard]] Number number(std::size_t field, Number absent) const {
        const auto at = place(field, sizeof(Number));
        return at ? read<Number>(bytes_, *at) : absent;
    }
    [[nodiscard]] std::string_view text(std::size_t field) const;
    [[nodiscard]] std::optional<FlatTable> table(std::size_t field) const;

    /// A list: how many, and where the first lies.
    struct List {
        std::size_t size{0};
        std::size_t first{0};
    };
    /// A list whose entries take `width` bytes each; empty where it is left out.
    [[nodiscard]] List list(std::size_t field, std::size_t width) const;
    /// An entry of a list of tables.
    [[nodiscard]] FlatTable entry(const List& list, std::size_t index) const;
    /// A number inside an entry of a list, `offset` bytes from the list's first.
    template <class Number>
    [[nodiscard]] Number number_at(const List& list, std::size_t offset) const {
        return read<Number>(bytes_, list.first + offset);
    }

private:
    FlatTable(std::string_view bytes, std::size_t at);

    template <class Number>
    [[nodiscard]] static Number read(std::string_view bytes, std::size_t at) {
        static_assert(std::is_arithmetic_v<Number>);
        check(bytes, at, sizeof(Number));
        Number value;
        std::memcpy(&value, bytes.data() + at, sizeof(Number));
        return value;
    }
    static void check(std::string_view bytes, std::size_t at, std::size_t size);
    /// Where the offset that lies at `at` leads.
    [[nodiscard]] static std::size_t follow(std::string_view bytes, std::size_t at);
    /// Where a field of `size` bytes lies, if the table has it.
    [[nodiscard]] std::optional<std::size_t> place(std::size_t field, std::size_t size) const;

    std::string_view bytes_;
    std::size_t at_;
    std::size_t fields_{0};
    std::size_t fields_size_{0};
};

}  // namespace ktrdr
