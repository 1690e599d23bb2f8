#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ktrdr {

/// A parameter under the name `nn.Sequential` gives it (`0.weight`, `0.bias`, `3.weight`, …), float32, row-major.
struct NamedTensor {
    std::string name{};
    std::vector<std::int64_t> shape{};
    std::vector<float> values{};

    friend bool operator==(const NamedTensor&, const NamedTensor&) = default;
};

}  // namespace ktrdr
