#include <ktrdr/models/safetensors.hpp>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#include <ktrdr/base/json.hpp>

namespace ktrdr {
namespace {

static_assert(std::endian::native == std::endian::little, "values are written as they lie in memory");

constexpr std::size_t length_bytes = 8;
/// The format's own limit.
constexpr std::uint64_t longest_header = 100'000'000;

Error broken(const std::string& what) {
    return fail(Errc::invalid_argument, "this is not a whole safetensors file: " + what);
}

std::string header_of(std::span<const NamedTensor> tensors, const boost::json::object& metadata) {
    boost::json::object header;
    if (!metadata.empty()) {
        header["__metadata__"] = metadata;
    }
    std::uint64_t offset = 0;
    for (const NamedTensor& tensor : tensors) {
        const std::uint64_t end = offset + tensor.values.size() * sizeof(float);
        header[tensor.name] = {{"dtype", "F32"},
                               {"shape", boost::json::array(tensor.shape.begin(), tensor.shape.end())},
                               {"data_offsets", {offset, end}}};
        offset = end;
    }
    std::string text = boost::json::serialize(header);
    text.resize((text.size() + 7) / 8 * 8, ' ');
    return text;
}

/// The numbers of a list that holds only whole ones from 0 up.
std::optional<std::vector<std::uint64_t>> whole_numbers(const boost::json::value* list) {
    if (list == nullptr || !list->is_array()) {
        return std::nullopt;
    }
    std::vector<std::uint64_t> numbers;
    for (const boost::json::value& item : list->get_array()) {
        boost::system::error_code error;
        const auto number = item.is_double() ? 0 : item.to_number<std::uint64_t>(error);
        if (item.is_double() || error) {
            return std::nullopt;
        }
        numbers.push_back(number);
    }
    return numbers;
}

/// How many values a shape holds, if no more than `most`.
std::optional<std::uint64_t> count_of(const std::vector<std::uint64_t>& shape, std::uint64_t most) {
    if (std::ranges::find(shape, 0u) != shape.end()) {
        return 0;
    }
    std::uint64_t count = 1;
    for (const std::uint64_t size : shape) {
        if (size > most / count) {
            return std::nullopt;
        }
        count *= size;
    }
    return count;
}

/// Where a tensor lies in the data, and in what shape.
struct Place {
    std::string_view name{};
    std::vector<std::uint64_t> shape{};
    std::uint64_t first{0};
    std::uint64_t last{0};
};

Result<Place> read_place(std::string_view name, const boost::json::value& entry, std::size_t data_size) {
    const boost::json::object* const fields = entry.if_object();
    const boost::json::value* const type = fields == nullptr ? nullptr : fields->if_contains("dtype");
    if (type == nullptr || *type != "F32") {
        return broken(fmt::format("tensor '{}' is not of type F32", name));
    }
    auto shape = whole_numbers(fields->if_contains("shape"));
    const auto offsets = whole_numbers(fields->if_contains("data_offsets"));
    if (!shape || !offsets || offsets->size() != 2) {
        return broken(fmt::format("tensor '{}' has no shape or offsets", name));
    }
    const std::uint64_t first = (*offsets)[0];
    const std::uint64_t last = (*offsets)[1];
    const auto count = count_of(*shape, data_size / sizeof(float));
    if (first > last || last > data_size || !count || last - first != *count * sizeof(float)) {
        return broken(fmt::format("tensor '{}' lies outside the data or does not fit its shape", name));
    }
    return Place{name, std::move(*shape), first, last};
}

Error no_tensors_bytes(std::uint64_t first, std::uint64_t last) {
    return broken(fmt::format("bytes {} to {} belong to no tensor", first, last));
}

/// Every byte of the data belongs to one tensor: what is hidden between them, or shared, is no tensor's.
Result<void> check_layout(const std::vector<Place>& sorted, std::uint64_t data_size) {
    std::uint64_t end = 0;
    for (const Place& place : sorted) {
        if (place.first < end) {
            return broken(fmt::format("tensor '{}' overlaps the one before it", place.name));
        }
        if (place.first > end) {
            return no_tensors_bytes(end, place.first);
        }
        end = place.last;
    }
    return end == data_size ? Result<void>{} : Result<void>(no_tensors_bytes(end, data_size));
}

Result<boost::json::object> read_metadata(const boost::json::value& entry) {
    const boost::json::object* const metadata = entry.if_object();
    if (metadata == nullptr) {
        return broken("the metadata is no object");
    }
    for (const auto& [key, value] : *metadata) {
        if (!value.is_string()) {
            return broken(fmt::format("'{}' of the metadata is no text", std::string_view(key)));
        }
    }
    return *metadata;
}

/// The text of the header, cut off from the front of the content: what is left is the data.
Result<std::string_view> take_header(std::string_view& content) {
    if (content.size() < length_bytes) {
        return broken("shorter than its length field");
    }
    std::uint64_t length = 0;
    std::memcpy(&length, content.data(), length_bytes);
    if (length > longest_header) {
        return broken(fmt::format("the header has {} bytes, and {} is the most", length, longest_header));
    }
    content.remove_prefix(length_bytes);
    if (length > content.size()) {
        return broken("the header is longer than the file");
    }
    const std::string_view header = content.substr(0, length);
    if (!header.starts_with('{')) {
        return broken("the header begins with no '{'");
    }
    content.remove_prefix(length);
    return header;
}

NamedTensor take_tensor(const Place& place, std::string_view data) {
    NamedTensor tensor{std::string(place.name),
                       {place.shape.begin(), place.shape.end()},
                       std::vector<float>((place.last - place.first) / sizeof(float))};
    if (!tensor.values.empty()) {
        std::memcpy(tensor.values.data(), data.data() + place.first, place.last - place.first);
    }
    return tensor;
}

}  // namespace

std::string encode_safetensors(std::span<const NamedTensor> tensors, const boost::json::object& metadata) {
    const std::string header = header_of(tensors, metadata);
    const std::uint64_t length = header.size();
    std::string content(length_bytes, '\0');
    std::memcpy(content.data(), &length, length_bytes);
    content += header;
    for (const NamedTensor& tensor : tensors) {
        if (!tensor.values.empty()) {
            content.append(reinterpret_cast<const char*>(tensor.values.data()), tensor.values.size() * sizeof(float));
        }
    }
    return content;
}

Result<SafetensorsFile> decode_safetensors(std::string_view content) {
    std::string_view data = content;
    const auto text = take_header(data);
    if (!text) {
        return text.error();
    }
    const auto header = parse_strict_json(*text);
    if (!header) {
        return broken("its header: " + header.error().message);
    }
    SafetensorsFile file;
    std::vector<Place> places;
    for (const auto& [name, entry] : header->get_object()) {
        if (name == "__metadata__") {
            auto metadata = read_metadata(entry);
            if (!metadata) {
                return metadata.error();
            }
            file.metadata = std::move(*metadata);
            continue;
        }
        auto place = read_place(name, entry, data.size());
        if (!place) {
            return place.error();
        }
        places.push_back(std::move(*place));
    }
    std::ranges::sort(places, {}, [](const Place& place) { return std::pair(place.first, place.last); });
    if (const auto whole = check_layout(places, data.size()); !whole) {
        return whole.error();
    }
    for (const Place& place : places) {
        file.tensors.push_back(take_tensor(place, data));
    }
    return file;
}

}  // namespace ktrdr
