#pragma once

#include <boost/json/object.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/models/named_tensor.hpp>

namespace ktrdr {

/// The content of a safetensors file (https://github.com/huggingface/safetensors): eight bytes of header length, a JSON
/// header padded with spaces to a multiple of 8, then the values, float32 little-endian, in the order given.
///
/// `metadata` values are texts, as the format asks.
[[nodiscard]] KTRDR_EXPORT std::string encode_safetensors(std::span<const NamedTensor> tensors,
                                                          const boost::json::object& metadata = {});

struct SafetensorsFile {
    /// In the order of their bytes.
    std::vector<NamedTensor> tensors{};
    boost::json::object metadata{};
};

/// `invalid_argument` saying what is broken, whatever the header says. As the format has it, every byte of the data
/// belongs to exactly one tensor and no object has a key twice.
[[nodiscard]] KTRDR_EXPORT Result<SafetensorsFile> decode_safetensors(std::string_view content);

}  // namespace ktrdr
