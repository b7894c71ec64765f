package relay

import (
	"errors"
	"strings"
	"testing"
)

func TestAPanicIsContainedUntilItIsReleased(t *testing.T) {
	lost := 0
	err := Contain(func() error { panic("planted") }, func() { lost++ })
	contained, ok := errors.AsType[*Panic](err)
	if !ok || contained.Value != "planted" {
		t.Fatalf("got %v, want the panic", err)
	}
	if lost != 1 {
		t.Errorf("lost: got %d, want once", lost)
	}
	if !strings.Contains(string(contained.Stack), "TestAPanicIsContained") {
		t.Errorf("got the stack\n%s\nwant that of the panic", contained.Stack)
	}
	defer func() {
		if got := recover(); got != contained {
			t.Errorf("released: got %v, want %v", got, contained)
		}
	}()
	Release(errors.Join(errors.New("on its way"), err))
	t.Error("the panic was not released")
}

func TestAnErrorIsNeitherContainedNorReleased(t *testing.T) {
	want := errors.New("an end")
	got := Contain(func() error { return want }, func() { t.Error("the backend is not lost") })
	Release(got)
	if got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
