// Package test is the product seen through its front door: the tenantsdb
// program with real servers behind it and real clients before it.
package test
