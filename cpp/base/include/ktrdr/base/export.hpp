#pragma once

/// Marks what `libktrdr.so` shows to the two Python modules; everything else stays hidden.
#define KTRDR_EXPORT __attribute__((visibility("default")))
