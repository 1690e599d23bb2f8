#include <ktrdr/models/safetensors.hpp>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

namespace ktrdr {
namespace {

static_assert(std::endian::native == std::endian::little, "values are written as they lie in memory");

constexpr std::size_t length_bytes = 8;

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
        const auto number = item.is_number() ? item.to_number<std::uint64_t>(error) : std::uint64_t{0};
        if (!item.is_number() || error) {
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

Result<NamedTensor> read_tensor(const std::string& name, const boost::json::value& entry, std::string_view data) {
    const boost::json::object* const fields = entry.if_object();
    const boost::json::value* const type = fields == nullptr ? nullptr : fields->if_contains("dtype");
    if (type == nullptr || *type != "F32") {
        return broken(fmt::format("tensor '{}' is not of type F32", name));
    }
    const auto shape = whole_numbers(fields->if_contains("shape"));
    const auto offsets = whole_numbers(fields->if_contains("data_offsets"));
    if (!shape || !offsets || offsets->size() != 2) {
        return broken(fmt::format("tensor '{}' has no shape or offsets", name));
    }
    const std::uint64_t first = (*offsets)[0];
    const std::uint64_t last = (*offsets)[1];
    const auto count = count_of(*shape, data.size() / sizeof(float));
    if (first > last || last > data.size() || !count || last - first != *count * sizeof(float)) {
        return broken(fmt::format("tensor '{}' lies outside the data or does not fit its shape", name));
    }
    NamedTensor tensor{name, {shape->begin(), shape->end()}, std::vector<float>(*count)};
    if (*count != 0) {
        std::memcpy(tensor.values.data(), data.data() + first, last - first);
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
    if (content.size() < length_bytes) {
        return broken("shorter than its length field");
    }
    std::uint64_t length = 0;
    std::memcpy(&length, content.data(), length_bytes);
    if (length > content.size() - length_bytes) {
        return broken("the header is longer than the file");
    }
    boost::system::error_code error;
    const boost::json::value header = boost::json::parse(content.substr(length_bytes, length), error);
    if (error || !header.is_object()) {
        return broken("the header is not a JSON object");
    }
    const std::string_view data = content.substr(length_bytes + length);
    SafetensorsFile file;
    for (const auto& [name, entry] : header.get_object()) {
        if (name == "__metadata__") {
            if (const auto* const metadata = entry.if_object()) {
                file.metadata = *metadata;
            }
            continue;
        }
        auto tensor = read_tensor(name, entry, data);
        if (!tensor) {
            return tensor.error();
        }
        file.tensors.push_back(std::move(*tensor));
    }
    return file;
}

}  // namespace ktrdr
