package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const written = `<?xml version="1.0" encoding="UTF-8"?>
<testng-results ignored="0" total="4" passed="2" failed="1" skipped="1">
  <suite name="s"><groups/><test name="Core">
    <class name="org.example.Core">
      <test-method is-config="true" signature="s()" name="setup" status="PASS"/>
      <test-method signature="a()" name="landingPage" status="PASS"/>
      <test-method signature="b()" name="limit" status="FAIL"><exception class="java.lang.AssertionError"><message><![CDATA[expected 1]]></message></exception></test-method>
      <test-method signature="c()" name="html" status="SKIP"/>
    </class>
    <class name="org.example.CRS"><test-method signature="d()" name="uri" status="PASS"/></class>
  </test></suite>
</testng-results>`

func TestRead(t *testing.T) {
	o, err := read(strings.NewReader(written), nil)
	require.NoError(t, err)
	require.Equal(t, []int{2, 1, 1}, []int{o.passed, o.failed, o.skipped})
	require.Equal(t, []string{"failed: org.example.Core.limit: expected 1", "skipped, which nothing accepts: org.example.Core.html: "}, o.complaints)

	o, err = read(strings.NewReader(written), reasons("# why\norg.example.Core.html there is no HTML\n"))
	require.NoError(t, err)
	require.Len(t, o.complaints, 1, "an accepted skip is no complaint")

	o, err = read(strings.NewReader("<testng-results/>"), nil)
	require.NoError(t, err)
	require.Equal(t, []string{"no assertion passed"}, o.complaints)

	_, err = read(strings.NewReader("not XML"), nil)
	require.Error(t, err)
}
