#pragma once

#include <string>

#include <ktrdr/training/trainer.hpp>

namespace ktrdr {

/// The shortest text that reads back as `value`. (torch ships an fmt of its own in its include folder, so this room
/// keeps away from fmt.)
[[nodiscard]] std::string number_text(double value);

/// Every option, shape and label, before anything is computed.
[[nodiscard]] Result<void> check_input(const TrainerInput& input);

}  // namespace ktrdr
