#pragma once

#include <pybind11/pybind11.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "convert.hpp"
#include "value.hpp"

namespace ktrdr::bindings {

/// Binds an aggregate of options as an immutable class with keywords, each with the aggregate's own default. It is
/// checked where it is made.
///
/// Units: a time is a number of seconds in Python.
template <class Options>
class OptionsClass {
public:
    OptionsClass(py::module_& module, const char* name, const char* doc) : name_(name), class_(module, name, doc) {}

    OptionsClass& time(const char* field, std::chrono::milliseconds Options::* member, const char* doc) {
        return add(
            field, doc, "a number of seconds",
            [member](Options& options, const py::handle& value) {
                constexpr double longest = 1e9;
                const double seconds = py::cast<double>(value);
                if (std::isnan(seconds)) {
                    throw py::cast_error("not a number");
                }
                options.*member =
                    std::chrono::milliseconds(std::llround(std::clamp(seconds, -longest, longest) * 1000));
            },
            [member](const Options& options) -> py::object {
                return py::float_(std::chrono::duration<double>(options.*member).count());
            });
    }
    OptionsClass& text(const char* field, std::string Options::* member, const char* doc) {
        return add(
            field, doc, "text or a path",
            [member](Options& options, const py::handle& value) {
                options.*member = py::cast<std::string>(py::module_::import("os").attr("fspath")(value));
            },
            [member](const Options& options) -> py::object { return py::str(options.*member); });
    }
    /// A file's name need not be UTF-8.
    OptionsClass& path(const char* field, std::string Options::* member, const char* doc) {
        return add(
            field, doc, "text or a path",
            [member](Options& options, const py::handle& value) {
                options.*member = py::cast<std::string>(py::module_::import("os").attr("fsencode")(value));
            },
            [member](const Options& options) -> py::object {
                return py::module_::import("os").attr("fsdecode")(py::bytes(options.*member));
            });
    }
    template <class Number>
    OptionsClass& number(const char* field, Number Options::* member, const char* doc) {
        return add(
            field, doc, "a number in its range",
            [member](Options& options, const py::handle& value) { options.*member = py::cast<Number>(value); },
            [member](const Options& options) -> py::object { return py::cast(options.*member); });
    }
    /// Options inside these, of a class that is bound already.
    template <class Part>
    OptionsClass& part(const char* field, Part Options::* member, const char* kind, const char* doc) {
        return add(
            field, doc, kind,
            [member](Options& options, const py::handle& value) { options.*member = py::cast<Part>(value); },
            [member](const Options& options) -> py::object { return py::cast(options.*member); });
    }
    /// An older name of a field: as a keyword, and as a property.
    OptionsClass& alias(const char* old, const char* field) {
        class_.def_property_readonly(
            old, [field](const py::object& self) { return self.attr(field); }, "An older name.");
        aliases_.emplace(old, field);
        return *this;
    }
    void done() {
        class_.def(py::init([name = name_, fields = fields_, aliases = aliases_](const py::kwargs& given) {
            Options options;
            for (const auto& [key, value] : given) {
                const auto written = py::cast<std::string>(key);
                const auto alias = aliases.find(written);
                set(name, fields, options, alias == aliases.end() ? written : alias->second, value);
            }
            unwrap(check(options));
            return options;
        }));
        class_.def("__repr__", [name = name_, fields = fields_](const Options& self) {
            std::string shown;
            for (const Field& field : fields) {
                shown += shown.empty() ? "" : ", ";
                shown += field.name + "=" + py::cast<std::string>(py::repr(field.get(self)));
            }
            return name + "(" + shown + ")";
        });
        std::vector<std::string> names;
        for (const Field& field : fields_) {
            names.push_back(field.name);
        }
        make_value(class_, names);
    }

private:
    struct Field {
        std::string name;
        /// What it must be, for errors.
        std::string wanted;
        std::function<void(Options&, const py::handle&)> set;
        std::function<py::object(const Options&)> get;
    };

    template <class Set, class Get>
    OptionsClass& add(const char* field, const char* doc, const char* wanted, Set set, Get get) {
        class_.def_property_readonly(field, get, doc);
        fields_.push_back({field, wanted, set, get});
        return *this;
    }
    static void set(const std::string& name, const std::vector<Field>& fields, Options& options, const std::string& key,
                    const py::handle& value) {
        for (const Field& field : fields) {
            if (field.name != key) {
                continue;
            }
            const auto refusal = [&] {
                return ErrorException(fail(
                    Errc::invalid_argument,
                    name + ": " + key + " must be " + field.wanted + ", not " + py::cast<std::string>(py::repr(value)),
                    {{"field", key}}));
            };
            try {
                field.set(options, value);
            } catch (const py::cast_error&) {
                throw refusal();
            } catch (const py::error_already_set&) {
                throw refusal();
            }
            return;
        }
        std::string known;
        for (const Field& field : fields) {
            known += (known.empty() ? "" : ", ") + field.name;
        }
        throw ErrorException(
            fail(Errc::invalid_argument, name + " has no field " + key + "; it has " + known, {{"field", key}}));
    }

    std::string name_;
    py::class_<Options> class_;
    std::vector<Field> fields_{};
    std::map<std::string, std::string> aliases_{};
};

}  // namespace ktrdr::bindings
