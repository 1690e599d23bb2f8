#include "model_archive.hpp"

#include <boost/json/object.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include <ktrdr/base/json.hpp>
#include <ktrdr/base/text.hpp>
#include <ktrdr/models/safetensors.hpp>

namespace ktrdr {
namespace {

// Of the format: POSIX.1-1988, "ustar".
constexpr std::size_t block = 512;
constexpr std::size_t name_bytes = 100;
constexpr std::size_t size_at = 124;
constexpr std::size_t size_bytes = 12;
constexpr std::size_t sum_at = 148;
constexpr std::size_t sum_bytes = 8;
constexpr std::size_t type_at = 156;
constexpr std::size_t prefix_at = 345;
/// No model of ours has so many files.
constexpr std::size_t most_entries = 100;

constexpr std::string_view weights_file = "model.safetensors";
constexpr std::array<std::pair<std::string_view, boost::json::object ModelContent::*>, 4> json_files{
    {{"config.json", &ModelContent::config},
     {"metrics.json", &ModelContent::metrics},
     {"features.json", &ModelContent::features},
     {"metadata.json", &ModelContent::metadata}}};

bool is_known(std::string_view name) {
    return name == weights_file ||
           std::ranges::find(json_files, name, [](const auto& file) { return file.first; }) != json_files.end();
}

Error broken(const std::string& what) {
    return fail(Errc::protocol, fmt::format("the model's archive cannot be used: {}", what));
}

/// A text that ends at its field's end or at a zero.
std::string_view text_at(std::string_view header, std::size_t at, std::size_t bytes) {
    const std::string_view field = header.substr(at, bytes);
    return field.substr(0, field.find('\0'));
}

/// An octal number, blanks around it; nothing for anything else, larger sizes than ustar has too.
std::optional<std::size_t> octal_at(std::string_view header, std::size_t at, std::size_t bytes) {
    std::string_view digits = text_at(header, at, bytes);
    while (digits.starts_with(' ')) {
        digits.remove_prefix(1);
    }
    while (digits.ends_with(' ')) {
        digits.remove_suffix(1);
    }
    std::size_t number = 0;
    for (const char digit : digits) {
        if (digit < '0' || digit > '7') {
            return std::nullopt;
        }
        number = number * 8 + static_cast<std::size_t>(digit - '0');
    }
    return digits.empty() ? std::nullopt : std::optional(number);
}

/// The sum of a header's bytes, those of the sum itself taken for blanks.
std::size_t sum_of(std::string_view header) {
    std::size_t sum = 0;
    for (std::size_t i = 0; i < block; ++i) {
        const bool own = i >= sum_at && i < sum_at + sum_bytes;
        sum += own ? static_cast<unsigned char>(' ') : static_cast<unsigned char>(header[i]);
    }
    return sum;
}

using Files = std::map<std::string, std::string_view, std::less<>>;

/// The plain files of the archive by their names.
Result<Files> files_of(std::string_view tar) {
    Files files;
    while (tar.size() >= block) {
        const std::string_view header = tar.substr(0, block);
        if (std::ranges::all_of(header, [](char byte) { return byte == '\0'; })) {
            return files;
        }
        const auto size = octal_at(header, size_at, size_bytes);
        if (octal_at(header, sum_at, sum_bytes) != sum_of(header) || !size) {
            return broken("a header in it is damaged");
        }
        tar.remove_prefix(block);
        const std::size_t room = (*size + block - 1) / block * block;
        const std::string name = kept_text(std::string(text_at(header, 0, name_bytes)), longest_name);
        if (room > tar.size()) {
            return broken(fmt::format("it ends within {:?}", name));
        }
        const char type = header[type_at];
        const bool plain = (type == '0' || type == '\0') && header[prefix_at] == '\0';
        if (!plain || name.empty() || files.size() == most_entries) {
            return broken(fmt::format("{:?} is no plain file of a model", name));
        }
        if (!files.try_emplace(name, tar.substr(0, *size)).second) {
            return broken(fmt::format("{:?} is in it twice", name));
        }
        tar.remove_prefix(room);
    }
    return broken("it has no end");
}

Result<std::string_view> find(const Files& files, std::string_view name) {
    const auto found = files.find(name);
    return found == files.end() ? Result<std::string_view>(broken(fmt::format("{} is missing", name)))
                                : Result<std::string_view>(found->second);
}

Result<boost::json::object> object_in(const Files& files, std::string_view name) {
    const auto content = find(files, name);
    if (!content) {
        return content.error();
    }
    const auto read = parse_strict_json(*content);
    if (!read) {
        return broken(fmt::format("{}: {}", name, read.error().message));
    }
    if (!read->is_object()) {
        return broken(fmt::format("{} is no JSON object", name));
    }
    return read->get_object();
}

}  // namespace

Result<ModelArchive> read_model_archive(std::string_view tar) {
    const auto files = files_of(tar);
    if (!files) {
        return files.error();
    }
    const auto weights = find(*files, weights_file);
    if (!weights) {
        return weights.error();
    }
    ModelArchive archive;
    archive.content.safetensors = *weights;
    if (const auto tensors = decode_safetensors(archive.content.safetensors); !tensors) {
        return broken(tensors.error().message);
    }
    for (const auto& [name, part] : json_files) {
        auto object = object_in(*files, name);
        if (!object) {
            return object.error();
        }
        archive.content.*part = std::move(*object);
    }
    for (const auto& [name, content] : *files) {
        if (!is_known(name)) {
            archive.unknown.push_back(name);
        }
    }
    return archive;
}

}  // namespace ktrdr
