#include "filters/rsa_der.h"

enum { TAG_INTEGER = 0x02, TAG_BIT_STRING = 0x03, TAG_NULL = 0x05, TAG_OID = 0x06, TAG_SEQUENCE = 0x30 };

/* rsaEncryption, 1.2.840.113549.1.1.1 */
static const struct slice rsa_oid = SLICE("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01");

static unsigned octet(struct slice s, size_t at)
{
	return at < s.len ? (unsigned char)s.data[at] : 0;
}

/* Length octets at the front of s: how many there are; 0: malformed. */
static size_t read_length(struct slice s, size_t *length_r)
{
	unsigned first = octet(s, 0);
	size_t count = first & 0x7f;
	if (s.len == 0)
		return 0;
	if (first < 0x80) {
		*length_r = first;
		return 1;
	}
	if (count == 0 || count > 3 || s.len < 1 + count)
		return 0;
	*length_r = 0;
	for (size_t i = 1; i <= count; i++)
		*length_r = *length_r << 8 | octet(s, i);
	return 1 + count;
}

/* The contents of the element at the front of *rest, if it has that tag. */
static bool take(struct slice *rest, unsigned tag, struct slice *content_r)
{
	size_t length = 0, octets;
	if (rest->len == 0 || octet(*rest, 0) != tag)
		return false;
	struct slice s = slice_from(*rest, 1);
	octets = read_length(s, &length);
	if (octets == 0 || length > s.len - octets)
		return false;
	*content_r = slice_sub(s, octets, length);
	*rest = slice_from(s, octets + length);
	return true;
}

static bool take_odd_number(struct slice *rest, struct slice *number_r)
{
	struct slice s;
	if (!take(rest, TAG_INTEGER, &s) || s.len == 0 || (octet(s, 0) & 0x80))
		return false; /* negative */
	while (s.len > 0 && octet(s, 0) == 0)
		s = slice_from(s, 1);
	*number_r = s;
	return s.len > 0 && (octet(s, s.len - 1) & 1);
}

static bool parse_key(struct slice der, struct slice *modulus_r, struct slice *exponent_r)
{
	struct slice sequence;
	return take(&der, TAG_SEQUENCE, &sequence) && der.len == 0 && take_odd_number(&sequence, modulus_r) &&
	       take_odd_number(&sequence, exponent_r) && sequence.len == 0;
}

/* The RSAPublicKey within a SubjectPublicKeyInfo. */
static bool unwrap(struct slice der, struct slice *key_r)
{
	struct slice info, algorithm, oid, null, bits;
	if (!take(&der, TAG_SEQUENCE, &info) || der.len > 0 || !take(&info, TAG_SEQUENCE, &algorithm) ||
	    !take(&algorithm, TAG_OID, &oid) || !slice_eq(oid, rsa_oid))
		return false;
	if (algorithm.len > 0 && !(take(&algorithm, TAG_NULL, &null) && null.len == 0 && algorithm.len == 0))
		return false;
	if (!take(&info, TAG_BIT_STRING, &bits) || info.len > 0 || bits.len == 0 || octet(bits, 0) != 0)
		return false;
	*key_r = slice_from(bits, 1);
	return true;
}

bool rsa_der_parse(struct slice der, struct slice *modulus_r, struct slice *exponent_r)
{
	struct slice key;
	return parse_key(unwrap(der, &key) ? key : der, modulus_r, exponent_r);
}
