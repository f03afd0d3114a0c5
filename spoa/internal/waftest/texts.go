// Package waftest has rule texts for tests.
package waftest

import "fmt"

// Preamble is the beginning of each application as Guard Proxy renders it, up to the Core Rule Set.
const Preamble = `SecRuleEngine On
SecRequestBodyAccess On
SecRxPreFilter On
SecRequestBodyLimit 13107200
SecRequestBodyInMemoryLimit 4194304
SecRequestBodyLimitAction Reject
SecResponseBodyAccess Off
SecAuditEngine Off
SecRule UNIQUE_ID "!@rx ^gp\.[1-4]\.[1-4]\.[0-9]{1,5}\.[0-9]{1,5}\.[BD]\.[WC][pP-]\.[0-9]{1,10}\.[0-9]{1,10}\.[0-9a-f-]{36}$" "id:100000,phase:1,deny,status:503,t:none,log,msg:'no parameters'"
SecRule UNIQUE_ID "@rx ^gp\.([1-4])\.([1-4])\.([0-9]{1,5})\.([0-9]{1,5})\.([BD])\.([WC])([pP-])\." "id:100001,phase:1,pass,nolog,t:none,capture,setvar:tx.blocking_paranoia_level=%{tx.1},setvar:tx.detection_paranoia_level=%{tx.2},setvar:tx.inbound_anomaly_score_threshold=%{tx.3},setvar:tx.outbound_anomaly_score_threshold=%{tx.4},setvar:tx.gp_mode=%{tx.5},setvar:tx.gp_cut=%{tx.6},setvar:tx.gp_probe=%{tx.7}"
SecRule TX:gp_mode "@streq D" "id:100002,phase:1,pass,nolog,t:none,ctl:ruleEngine=DetectionOnly"
SecRule TX:gp_probe "@streq P" "id:100003,phase:2,pass,log,t:none,msg:'probe canary',setvar:tx.inbound_anomaly_score_pl1=+%{tx.inbound_anomaly_score_threshold}"
SecRule TX:gp_cut "@streq C" "id:100004,phase:1,pass,nolog,t:none,ctl:ruleRemoveById=200002-200004"
SecRule REQUEST_HEADERS:Content-Type "@rx ^(?:application(?:/soap\+|/)|text/)xml" "id:200000,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=XML"
SecRule REQUEST_HEADERS:Content-Type "@rx ^application/(?:[a-z0-9.-]+[+])?json" "id:200001,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule REQBODY_ERROR "!@eq 0" "id:200002,phase:2,t:none,log,deny,status:400,msg:'Failed to parse request body.'"
SecRule MULTIPART_STRICT_ERROR "!@eq 0" "id:200003,phase:2,t:none,log,deny,status:400,msg:'Multipart body failed strict validation.'"
SecAction "id:900200,phase:1,pass,t:none,nolog,setvar:'tx.allowed_methods=GET HEAD POST OPTIONS PUT PATCH DELETE'"
Include @crs-setup.conf.example
`

// Application is a whole application with the full Core Rule Set.
const Application = Preamble + "Include @owasp_crs/*.conf\n"

// Tiny is an application of two rules: requests with the word are denied by the given rule.
func Tiny(word string, id int) string {
	return fmt.Sprintf(`SecRuleEngine On
SecRequestBodyAccess On
SecRule REQUEST_URI|REQUEST_BODY "@contains %s" "id:%d,phase:2,deny,status:403,log,msg:'the word'"
SecRule ARGS "@rx ^%s[0-9]+x$" "id:%d,phase:2,pass,nolog"
`, word, id, word, id+1)
}

// ID is a transaction id as our HAProxy makes it. parameters are `<bPL>.<dPL>.<in>.<out>.<B|D>.<W|C><-|p|P>`.
func ID(parameters string) string {
	return "gp." + parameters + ".7.3.01234567-89ab-cdef-0123-456789abcdef"
}
