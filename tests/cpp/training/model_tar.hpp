#pragma once

#include <array>
#include <cstdio>
#include <string>
#include <string_view>

#include <ktrdr/models/safetensors.hpp>

namespace ktrdr::test {

/// One entry of a tar, its header's sum right whatever the fields say.
inline std::string tar_entry(std::string_view name, std::string_view content, char type = '0',
                             std::string_view prefix = "") {
    std::string header(512, '\0');
    header.replace(0, name.size(), name);
    std::array<char, 13> size{};
    std::snprintf(size.data(), size.size(), "%011o", static_cast<unsigned>(content.size()));
    header.replace(124, 11, size.data());
    header[156] = type;
    header.replace(257, 5, "ustar");
    header.replace(345, prefix.size(), prefix);
    header.replace(148, 8, "        ");
    unsigned sum = 0;
    for (const char byte : header) {
        sum += static_cast<unsigned char>(byte);
    }
    std::array<char, 8> digits{};
    std::snprintf(digits.data(), digits.size(), "%06o", sum);
    header.replace(148, 6, digits.data());
    header[154] = '\0';
    std::string padded(content);
    padded.resize((content.size() + 511) / 512 * 512, '\0');
    return header + padded;
}

inline std::string tar_end() {
    return std::string(1024, '\0');
}

/// A model's folder as a host packs it.
inline std::string model_tar() {
    const std::array<NamedTensor, 1> tensors{NamedTensor{"0.weight", {1, 2}, {1, 2}}};
    return tar_entry("config.json", R"({"strategy_path": "there.yaml"})") + tar_entry("features.json", "{}") +
           tar_entry("metadata.json", R"({"version": 7})") + tar_entry("metrics.json", R"({"history": []})") +
           tar_entry("model.safetensors", encode_safetensors(tensors));
}

}  // namespace ktrdr::test
