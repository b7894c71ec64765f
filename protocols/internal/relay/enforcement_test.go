package relay

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestAStatementIsStruckUntilItObeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		strikes := 0
		e := Enforce(time.Minute, time.Hour, func() { strikes++ }, func() { t.Error("it was given up") })
		time.Sleep(2*strikeAgain + strikeAgain/2)
		e.Obeyed()
		e.Obeyed()
		time.Sleep(2 * strikeAgain)
		e.End()
		if strikes != 3 {
			t.Errorf("strikes: got %d, want one at once and one for each of two seconds", strikes)
		}
		if e.Timeout != time.Minute {
			t.Errorf("got the limit %s", e.Timeout)
		}
	})
}

func TestAStatementThatIgnoresItIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		strikes, given := 0, 0
		e := Enforce(0, 3*strikeAgain+strikeAgain/2, func() { strikes++ }, func() { given++ })
		time.Sleep(10 * strikeAgain)
		e.End()
		if strikes != 4 || given != 1 {
			t.Errorf("got %d strikes and given up %d times, want 4 and 1", strikes, given)
		}
	})
}

// A strike that arrives after the end would hit the next statement.
func TestTheEndWaitsForTheStrikeOnItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		arrived := false
		e := Enforce(0, time.Hour, func() {
			time.Sleep(5 * strikeAgain)
			arrived = true
		}, func() { t.Error("it was given up") })
		synctest.Wait()
		e.End()
		if !arrived {
			t.Error("the strike was still on its way")
		}
		time.Sleep(5 * strikeAgain)
	})
}

// A strike may take long, and the statement end meanwhile, and the grace.
func TestWhatObeyedIsNotGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 20 {
			e := Enforce(0, strikeAgain, func() { time.Sleep(2 * strikeAgain) }, func() { t.Error("it was given up") })
			synctest.Wait()
			e.End()
		}
	})
}
