#pragma once

#include <pybind11/pybind11.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "convert.hpp"
#include "text.hpp"

namespace ktrdr::bindings {

/// Makes a bound class a value: immutable, compared and hashed by its fields, copied and pickled, and taken by
/// `dataclasses.asdict`, `fields` and `replace`. It needs a constructor that takes each field by its name, and a
/// property for each. Values with a dict among their fields have no hash.
void make_value(const py::object& type, const std::vector<std::string>& fields);

/// Binds an aggregate as a value, each field once: property, keyword of the constructor, part of what is compared.
template <class Value, class Holder = std::unique_ptr<Value>>
class ValueClass {
public:
    using Class = py::class_<Value, Holder>;
    using Get = std::function<py::object(const Value&)>;
    /// Throws `py::cast_error` for what does not fit.
    using Set = std::function<void(Value&, const py::handle&)>;

    /// `spoken` is the name with its article, for errors.
    ValueClass(py::module_& module, const char* name, std::string spoken, const char* doc)
        : class_(module, name, doc), spoken_(std::move(spoken)) {}

    /// A member that pybind11 converts by itself.
    template <class Type>
    ValueClass& field(const char* name, Type Value::* member, const char* doc) {
        return field(
            name, [member](const Value& self) { return py::cast(self.*member); },
            [member](Value& self, const py::handle& given) { self.*member = given.cast<Type>(); }, doc);
    }
    /// Words for a person.
    ValueClass& text(const char* name, std::string Value::* member, const char* doc) {
        return field(
            name, [member](const Value& self) { return py::cast(self.*member); },
            [member](Value& self, const py::handle& given) { self.*member = given.cast<Text>().utf8; }, doc);
    }
    ValueClass& field(const char* name, Get get, Set set, const char* doc) {
        class_.def_property_readonly(name, std::move(get), doc);
        fields_.push_back({name, std::move(set)});
        return *this;
    }
    /// `begun` is what the constructor fills; `checked` throws for a value that cannot be.
    Class& done(
        std::function<Value()> begun = [] { return Value{}; },
        std::function<void(const Value&)> checked = [](const Value&) {}) {
        const auto with = [fields = fields_, spoken = spoken_, checked](Value value, const py::kwargs& given) {
            fill(value, fields, spoken, given);
            checked(value);
            return value;
        };
        class_.def(
            py::init([begun = std::move(begun), with](const py::kwargs& given) { return with(begun(), given); }));
        class_.def("replace", with, "A copy with other values in the named fields.");
        std::vector<std::string> names;
        for (const Field& field : fields_) {
            names.push_back(field.name);
        }
        make_value(class_, names);
        return class_;
    }

private:
    struct Field {
        std::string name;
        Set set;
    };

    static void fill(Value& value, const std::vector<Field>& fields, const std::string& spoken,
                     const py::kwargs& given) {
        for (const auto& [key, content] : given) {
            const auto name = py::cast<std::string>(key);
            const auto found =
                std::find_if(fields.begin(), fields.end(), [&name](const Field& field) { return field.name == name; });
            if (found == fields.end()) {
                throw ErrorException(
                    fail(Errc::invalid_argument, spoken + " has no field \"" + name + '"', {{"field", name}}));
            }
            try {
                found->set(value, content);
            } catch (const py::cast_error&) {
                throw ErrorException(
                    fail(Errc::invalid_argument,
                         name + " of " + spoken + " cannot be " + py::cast<std::string>(py::repr(content)),
                         {{"field", name}}));
            }
        }
    }

    Class class_;
    std::string spoken_;
    std::vector<Field> fields_{};
};

}  // namespace ktrdr::bindings
