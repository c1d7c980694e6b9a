package grammar

// Parts of formats.
const (
	year    = `[1-9][0-9]{3}`
	leap    = `([1-9][0-9](0[48]|[2468][048]|[13579][26])|([2468][048]|[13579][26])00)`
	day     = `(` + year + `-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))|` + leap + `-02-29)`
	hour    = `([01][0-9]|2[0-3])`
	clock   = hour + `:[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]` + hour + `:[0-5][0-9])`
	octet   = `(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])`
	ipv4    = `(` + octet + `\.){3}` + octet
	label   = `[A-Za-z0-9]([A-Za-z0-9-]{0,20}[A-Za-z0-9])?`
	host    = label + `(\.` + label + `){0,5}`
	hex4    = `[0-9a-fA-F]{1,4}`
	lapse   = `([0-9]{1,4}H([0-9]{1,4}M([0-9]{1,4}S)?)?|[0-9]{1,4}M([0-9]{1,4}S)?|[0-9]{1,4}S)`
	date3   = `([0-9]{1,4}Y([0-9]{1,4}M([0-9]{1,4}D)?)?|[0-9]{1,4}M([0-9]{1,4}D)?|[0-9]{1,4}D)`
	pchar   = `([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})`
	rest    = `(/` + pchar + `*)*(\?(` + pchar + `|[/?])*)?(#(` + pchar + `|[/?])*)?`
	address = `[A-Za-z0-9!#$%&'*+/=?^_{|}~-]{1,30}(\.[A-Za-z0-9!#$%&'*+/=?^_{|}~-]{1,30})?@` + host
)

// formats are patterns of JSON Schema's formats: every text that matches is one, not every one matches. Others than
// these say nothing of a text.
var formats = map[string]string{
	"date":                  `^` + day + `$`,
	"time":                  `^` + clock + `$`,
	"date-time":             `^` + day + `T` + clock + `$`,
	"duration":              `^P(` + date3 + `(T` + lapse + `)?|T` + lapse + `|[0-9]{1,4}W)$`,
	"email":                 `^` + address + `$`,
	"hostname":              `^` + host + `$`,
	"ipv4":                  `^` + ipv4 + `$`,
	"ipv6":                  `^((` + hex4 + `:){7}` + hex4 + `|(` + hex4 + `:){1,3}(:` + hex4 + `){1,4}|::(` + hex4 + `(:` + hex4 + `){0,6})?)$`,
	"uuid":                  `^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`,
	"uri":                   `^[A-Za-z][A-Za-z0-9+.-]{0,20}://` + host + `(:[0-9]{1,4})?` + rest + `$`,
	"uri-reference":         `^(/` + pchar + `+)*/?(\?(` + pchar + `|[/?])*)?$`,
	"json-pointer":          `^(/([^~/]|~[01])*)*$`,
	"relative-json-pointer": `^(0|[1-9][0-9]{0,8})(#|(/([^~/]|~[01])*)*)$`,
	"idn-email":             `^` + address + `$`,
	"idn-hostname":          `^` + host + `$`,
	"iri":                   `^[A-Za-z][A-Za-z0-9+.-]{0,20}://` + host + `(:[0-9]{1,4})?` + rest + `$`,
	"iri-reference":         `^(/` + pchar + `+)*/?(\?(` + pchar + `|[/?])*)?$`,
	"uri-template":          `^(/` + pchar + `+)*/?$`,
	"regex":                 `^[A-Za-z0-9]*$`,
}
