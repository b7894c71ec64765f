package main

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

const environmentPrefix = "TENANTSDB_"

// applyEnvironment sets the keys that the environment names.
func applyEnvironment(c *Config, environ []string) error {
	left := map[string]string{}
	for _, pair := range environ {
		if name, value, _ := strings.Cut(pair, "="); strings.HasPrefix(name, environmentPrefix) {
			left[name] = value
		}
	}
	if err := setStruct(strings.TrimSuffix(environmentPrefix, "_"), reflect.ValueOf(c).Elem(), left); err != nil {
		return err
	}
	if unknown := slices.Sorted(maps.Keys(left)); len(unknown) > 0 {
		return fmt.Errorf("unknown variable %s", strings.Join(unknown, ", "))
	}
	return nil
}

// setStruct sets the struct's fields from the variables under name, and takes
// those out of left.
func setStruct(name string, v reflect.Value, left map[string]string) error {
	for field, value := range v.Fields() {
		key := field.Tag.Get("env")
		if key == "" {
			key = strings.ToUpper(field.Tag.Get("yaml"))
		}
		if err := setValue(name+"_"+key, value, left); err != nil {
			return err
		}
	}
	return nil
}

func setValue(name string, v reflect.Value, left map[string]string) error {
	switch v.Kind() {
	case reflect.Struct:
		return setStruct(name, v, left)
	case reflect.Slice:
		return setSlice(name, v, left)
	}
	text, ok := left[name]
	if !ok {
		return nil
	}
	delete(left, name)
	if v.Kind() == reflect.String {
		v.SetString(text)
		return nil
	}
	// The text stays out of the error: it could be a secret in the wrong place.
	if err := yaml.Unmarshal([]byte(text), v.Addr().Interface()); err != nil {
		return fmt.Errorf("%s: must be %s", name, wanted(v.Type().String()))
	}
	return nil
}

// setSlice sets elements by their number, and appends where the next one is
// named.
func setSlice(name string, v reflect.Value, left map[string]string) error {
	for i := 0; ; i++ {
		element := name + "_" + strconv.Itoa(i)
		if i == v.Len() {
			if !anyUnder(element+"_", left) {
				return nil
			}
			v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
		}
		if err := setValue(element, v.Index(i), left); err != nil {
			return err
		}
	}
}

func anyUnder(prefix string, left map[string]string) bool {
	for name := range left {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
