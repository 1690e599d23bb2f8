#include "flat_table.hpp"

#include <bit>

#include <ktrdr/base/result.hpp>

namespace ktrdr {

static_assert(std::endian::native == std::endian::little, "a FlatBuffer's numbers are read as the machine's own");

FlatTable FlatTable::root(std::string_view bytes) {
    return {bytes, follow(bytes, 0)};
}

FlatTable::FlatTable(std::string_view bytes, std::size_t at) : bytes_(bytes), at_(at) {
    const std::int64_t fields = static_cast<std::int64_t>(at) - read<std::int32_t>(bytes, at);
    fields_ = fields < 0 ? bytes.size() : static_cast<std::size_t>(fields);
    fields_size_ = read<std::uint16_t>(bytes, fields_);
    check(bytes, fields_, fields_size_);
}

void FlatTable::check(std::string_view bytes, std::size_t at, std::size_t size) {
    if (at > bytes.size() || size > bytes.size() - at) {
        throw ErrorException(fail(Errc::invalid_argument, "its description points outside of itself"));
    }
}

std::size_t FlatTable::follow(std::string_view bytes, std::size_t at) {
    return at + read<std::uint32_t>(bytes, at);
}

std::optional<std::size_t> FlatTable::place(std::size_t field, std::size_t size) const {
    const std::size_t entry = (field + 2) * sizeof(std::uint16_t);
    if (entry + sizeof(std::uint16_t) > fields_size_) {
        return std::nullopt;
    }
    const auto offset = read<std::uint16_t>(bytes_, fields_ + entry);
    if (offset == 0) {
        return std::nullopt;
    }
    check(bytes_, at_ + offset, size);
    return at_ + offset;
}

std::string_view FlatTable::text(std::size_t field) const {
    const List characters = list(field, 1);
    return bytes_.substr(characters.first, characters.size);
}

std::optional<FlatTable> FlatTable::table(std::size_t field) const {
    const auto at = place(field, sizeof(std::uint32_t));
    return at ? std::optional(FlatTable(bytes_, follow(bytes_, *at))) : std::nullopt;
}

FlatTable::List FlatTable::list(std::size_t field, std::size_t width) const {
    const auto at = place(field, sizeof(std::uint32_t));
    if (!at) {
        return {};
    }
    const std::size_t begin = follow(bytes_, *at);
    const std::size_t size = read<std::uint32_t>(bytes_, begin);
    const std::size_t first = begin + sizeof(std::uint32_t);
    check(bytes_, first, size * width);
    return {size, first};
}

FlatTable FlatTable::entry(const List& list, std::size_t index) const {
    return {bytes_, follow(bytes_, list.first + index * sizeof(std::uint32_t))};
}

}  // namespace ktrdr
