// Package house holds no code: its tests keep the repository's own rules, such as which package may
// import which, how long a file may be, and what belongs to an op.
package house
